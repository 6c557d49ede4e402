import { jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../../common/clock.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import { NameNotFoundError } from '../../naming/errors.js';
import type { NameService } from '../../naming/name-service.js';
import type { CryptoProvider, RandomBytes } from '../../protocol/crypto/provider.js';
import { fromBase64 } from '../../protocol/encoding/base64.js';
import { toUtf8 } from '../../protocol/encoding/utf8.js';
import type { Database } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import type { AccountService } from '../accounts/account.service.js';
import { LoginFailedError, SessionRequiredError } from '../errors.js';
import { challengeStore } from './challenge.store.js';

/** Clients react to exactly this text: they hand in their profile again and retry. */
const SIGNATURE_INVALID = 'Signature invalid';

interface Parts {
  readonly crypto: CryptoProvider;
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly db: Database;
  readonly sealer: Sealer;
  readonly names: NameService;
  readonly accounts: AccountService;
  readonly ownName: EnsName;
  /** 32 bytes; derived, so that tokens outlive a restart and hold on every machine. */
  readonly tokenSecret: Uint8Array;
  readonly challengeSeconds: number;
  readonly sessionSeconds: number;
}

/** Login by challenge (dm3 delivery service REST): proves the signing key of the published profile. */
export class LoginService {
  constructor(private readonly parts: Parts) {}

  /**
   * A challenge for one name at this service, good for one use.
   * @throws NameNotFoundError if the name has no account here; NamingUnavailableError
   */
  async challenge(name: EnsName): Promise<string> {
    const { db, random, challengeSeconds } = this.parts;
    await this.#accountOf(name);
    const challenge = `${this.parts.ownName}:${Buffer.from(random(32)).toString('base64url')}`;
    await challengeStore.add(db, this.#challengeKey(name, challenge), challengeSeconds);
    return challenge;
  }

  /**
   * Trades a signed challenge for a session token.
   * @param signature base64, Ed25519 over the whole challenge text
   * @throws LoginFailedError, NameNotFoundError; NamingUnavailableError
   */
  async login(name: EnsName, challenge: string, signature: string): Promise<string> {
    const { crypto, db, accounts } = this.parts;
    const address = await this.#accountOf(name);
    const { keys } = await accounts.profileOf(name, address);
    if (!(await challengeStore.take(db, this.#challengeKey(name, challenge)))) {
      throw new LoginFailedError({ reason: 'The challenge is unknown, used or expired; ask for a new one.' });
    }
    if (!crypto.verify(keys.signing, toUtf8(challenge), signatureBytes(signature))) {
      throw new LoginFailedError({ reason: SIGNATURE_INVALID });
    }
    return this.issueToken(name);
  }

  /** A session for a name whose owner has just proved himself. */
  async issueToken(name: EnsName): Promise<string> {
    const now = Math.floor(this.parts.clock.now() / 1000);
    return new SignJWT({ account: name })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + this.parts.sessionSeconds)
      .sign(this.parts.tokenSecret);
  }

  /**
   * The address a request may act for: its token must name the same account as its path.
   * @throws SessionRequiredError, NameNotFoundError; NamingUnavailableError
   */
  async authorise(name: EnsName, authorization: string | undefined): Promise<EthAddress> {
    const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
    if (!token || (await this.#accountIn(token)) !== name) throw new SessionRequiredError();
    return this.#accountOf(name);
  }

  async #accountIn(token: string): Promise<unknown> {
    const currentDate = new Date(this.parts.clock.now());
    try {
      const { payload } = await jwtVerify(token, this.parts.tokenSecret, { algorithms: ['HS256'], currentDate });
      return payload['account'];
    } catch {
      return null;
    }
  }

  async #accountOf(name: EnsName): Promise<EthAddress> {
    const address = await this.parts.names.resolveAddress(name);
    if (!address || !(await this.parts.accounts.stored(address))) throw new NameNotFoundError({ name });
    return address;
  }

  #challengeKey(name: EnsName, challenge: string): Buffer {
    return this.parts.sealer.keyedHash('login challenge', this.parts.ownName, name, challenge);
  }
}

function signatureBytes(signature: string): Uint8Array {
  try {
    return fromBase64(signature);
  } catch {
    return new Uint8Array(0);
  }
}
