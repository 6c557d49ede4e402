import { jwtVerify, SignJWT, type JWTPayload } from 'jose';
import type { Clock } from '../../common/clock.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import { NameNotFoundError } from '../../naming/errors.js';
import type { NameService } from '../../naming/name-service.js';
import type { CryptoProvider, RandomBytes } from '../../protocol/crypto/provider.js';
import { fromBase64 } from '../../protocol/encoding/base64.js';
import { toUtf8 } from '../../protocol/encoding/utf8.js';
import type { Database } from '../../storage/database.js';
import type { AccountService, SubmittedProfile } from '../accounts/account.service.js';
import { LoginFailedError, SessionRequiredError } from '../errors.js';
import type { ChallengeStore } from './challenge.store.js';

/** Clients react to exactly this text: they hand in their profile again and retry. */
const SIGNATURE_INVALID = 'Signature invalid';
/** How long after a name was looked up because of a wrong signature another one is simply wrong. */
const DOUBT_AGAIN_MS = 3_000;
const MAX_DOUBTED = 10_000;
/** Challenges that a signature alone may answer: anybody may ask for one in anybody's name in the meantime. */
const CHALLENGES_TRIED = 8;
/** How long the token of a sign-up is good, if nobody logs in before. */
const SIGN_UP_SECONDS = 3_600;

interface Parts {
  readonly crypto: CryptoProvider;
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly db: Database;
  readonly challenges: ChallengeStore;
  readonly names: NameService;
  readonly accounts: AccountService;
  readonly ownName: EnsName;
  /** 32 bytes; derived, so that tokens outlive a restart and hold on every machine. */
  readonly tokenSecret: Uint8Array;
  readonly challengeSeconds: number;
  readonly sessionSeconds: number;
}

interface Claims {
  readonly account: EnsName;
  /** Of a session. */
  readonly address?: EthAddress;
  /** Of a sign-up: the address that the account was just opened for. */
  readonly signUpOf?: EthAddress;
}

/** Whom somebody may act for who has logged in, and until when. */
export interface Session {
  readonly address: EthAddress;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Login by challenge (dm3 delivery service REST): proves the signing key of the published profile. */
export class LoginService {
  /** When names were last looked up because of a wrong signature. */
  readonly #doubted = new Map<EnsName, number>();

  constructor(private readonly parts: Parts) {}

  /**
   * A challenge for one name at this service, good for one use.
   * @throws NameNotFoundError if the name has no account here; NamingUnavailableError
   */
  async challenge(name: EnsName): Promise<string> {
    const { db, random, challengeSeconds } = this.parts;
    await this.#accountOf(name);
    const challenge = `${this.parts.ownName}:${Buffer.from(random(32)).toString('base64url')}`;
    await this.parts.challenges.add(db, name, challenge, challengeSeconds);
    return challenge;
  }

  /**
   * Trades a signed challenge for a session token.
   * @param signature base64, Ed25519 over the whole challenge text
   * @throws LoginFailedError, NameNotFoundError; NamingUnavailableError
   */
  async login(name: EnsName, challenge: string, signature: string): Promise<string> {
    const address = await this.#accountOf(name);
    await this.#use(name, challenge);
    await this.#signed(name, address, [challenge], signature);
    return this.issueToken(name, address);
  }

  /**
   * The same for clients that do not say which challenge they signed: one of the last that their name was given. It is
   * used up only by the right signature, since anybody may send a wrong one.
   * @throws LoginFailedError, NameNotFoundError; NamingUnavailableError
   */
  async answerLatest(name: EnsName, signature: string): Promise<string> {
    const address = await this.#accountOf(name);
    const challenges = await this.parts.challenges.latest(this.parts.db, name, CHALLENGES_TRIED);
    if (challenges.length === 0) {
      throw new LoginFailedError({ reason: 'There is no challenge to answer; ask for one.' });
    }
    await this.#use(name, await this.#signed(name, address, challenges, signature));
    return this.issueToken(name, address);
  }

  /** A session for a name whose owner has just proved himself. From now on no token of the sign-up counts. */
  async issueToken(name: EnsName, address: EthAddress): Promise<string> {
    await this.parts.accounts.noteLogin(address);
    return this.#sign({ account: name, address }, this.parts.sessionSeconds);
  }

  /**
   * What a submitted profile is answered with. Mostly it opens nothing: whoever hands in what anybody may have read has
   * proved nothing. Clients meet 401 with it and log in, as they do at the reference service.
   */
  async answerProfile(name: EnsName, { address, isFromOwner }: SubmittedProfile): Promise<string> {
    const { sessionSeconds } = this.parts;
    if (!isFromOwner) return this.#sign({ account: name }, sessionSeconds);
    return this.#sign({ account: name, signUpOf: address }, Math.min(sessionSeconds, SIGN_UP_SECONDS));
  }

  async #sign(claims: Claims, validSeconds: number): Promise<string> {
    const now = Math.floor(this.parts.clock.now() / 1000);
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + validSeconds)
      .sign(this.parts.tokenSecret);
  }

  /**
   * The address a request may act for: its token must be of the account that the name in its path stands for.
   * @throws SessionRequiredError, NameNotFoundError; NamingUnavailableError
   */
  async authorise(name: EnsName, authorization: string | undefined): Promise<EthAddress> {
    return (await this.session(name, bearerToken(authorization))).address;
  }

  /**
   * The same for reading and acknowledging messages only, where the token of the sign-up counts, too, until the account
   * is logged in to for the first time.
   * @throws SessionRequiredError, NameNotFoundError; NamingUnavailableError
   */
  async authoriseReader(name: EnsName, authorization: string | undefined): Promise<EthAddress> {
    const { claims, address } = await this.#opened(name, bearerToken(authorization));
    if (claims['address'] === address) return address;
    if (claims['signUpOf'] === address && !(await this.parts.accounts.wasLoggedInTo(address))) return address;
    throw new SessionRequiredError();
  }

  /**
   * The session a token stands for, which must be of this name's account. Any name of the account will do, and none
   * that has since moved to somebody else.
   * @throws SessionRequiredError, NameNotFoundError; NamingUnavailableError
   */
  async session(name: EnsName, token: string): Promise<Session> {
    const { claims, address } = await this.#opened(name, token);
    if (claims['address'] !== address) throw new SessionRequiredError();
    return { address, expiresAt: claims.exp! * 1_000 };
  }

  /** What a token says, and the account that it is to be good for. */
  async #opened(name: EnsName, token: string): Promise<{ claims: JWTPayload; address: EthAddress }> {
    const claims = await this.#claimsOf(token);
    if (!claims) throw new SessionRequiredError();
    return { claims, address: await this.#accountOf(name) };
  }

  /** Null unless we issued the token and it is still good. */
  async #claimsOf(token: string): Promise<JWTPayload | null> {
    const currentDate = new Date(this.parts.clock.now());
    const checks = { algorithms: ['HS256'], requiredClaims: ['exp'], currentDate };
    try {
      return (await jwtVerify(token, this.parts.tokenSecret, checks)).payload;
    } catch {
      return null;
    }
  }

  async #accountOf(name: EnsName): Promise<EthAddress> {
    const address = await this.parts.names.resolveAddress(name);
    if (!address || !(await this.parts.accounts.stored(address))) throw new NameNotFoundError({ name });
    return address;
  }

  async #use(name: EnsName, challenge: string): Promise<void> {
    if (await this.parts.challenges.take(this.parts.db, name, challenge)) return;
    throw new LoginFailedError({ reason: 'The challenge is unknown, used or expired; ask for a new one.' });
  }

  /**
   * The challenge that was signed. A key that was changed a moment ago counts at once: what is known of the profile is
   * doubted first.
   * @throws LoginFailedError
   */
  async #signed(name: EnsName, address: EthAddress, challenges: readonly string[], signature: string): Promise<string> {
    const bytes = signatureBytes(signature);
    const find = async (maxAgeMs?: number): Promise<string | undefined> => {
      const { keys } = await this.parts.accounts.profileOf(name, address, maxAgeMs);
      return challenges.find((challenge) => this.parts.crypto.verify(keys.signing, toUtf8(challenge), bytes));
    };
    const found = (await find()) ?? (this.#mayDoubt(name) ? await find(0) : undefined);
    if (found === undefined) throw new LoginFailedError({ reason: SIGNATURE_INVALID });
    return found;
  }

  /** True now and then only: anybody may fail to log in as anybody, and each look-up costs a few calls to the chain. */
  #mayDoubt(name: EnsName): boolean {
    const now = this.parts.clock.now();
    if (now - (this.#doubted.get(name) ?? -Infinity) < DOUBT_AGAIN_MS) return false;
    this.#doubted.delete(name);
    this.#doubted.set(name, now);
    if (this.#doubted.size > MAX_DOUBTED) this.#doubted.delete(this.#doubted.keys().next().value!);
    return true;
  }
}

function bearerToken(authorization: string | undefined): string {
  return /^Bearer (\S+)$/.exec(authorization ?? '')?.[1] ?? '';
}

function signatureBytes(signature: string): Uint8Array {
  try {
    return fromBase64(signature);
  } catch {
    return new Uint8Array(0);
  }
}
