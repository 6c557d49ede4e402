import { GatewayError } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import { CodeNotSentError, CodeRefusedError } from '../../delivery/notifications/errors.js';
import type { IssuedCode, OneTimeCodes, Proof } from '../../delivery/notifications/one-time-codes.js';
import type { Database, Tx } from '../../storage/database.js';
import type { RateLimiter } from '../../storage/rate-limits/rate-limiter.js';
import type { Sealer } from '../../storage/sealer.js';
import type { AdapterRegistry } from '../adapters.js';
import type { Ghost } from '../ghosts/ghost.service.js';
import type { LinkParties } from './link-parties.js';

interface Parts {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly adapters: Pick<AdapterRegistry, 'format'>;
  readonly parties: Pick<LinkParties, 'challenger'>;
  readonly codes: OneTimeCodes;
  /** Of all letters together: whoever asks for them is a stranger, and names and wallets cost him nothing. */
  readonly budget: Pick<RateLimiter, 'take'>;
}

/** What somebody outside proves by a code that is sent to him. */
export interface LinkProof {
  readonly ghost: Ghost;
  /** On whose account codes are counted. */
  readonly account: EthAddress;
  readonly purpose: string;
}

/** The letter around a code. */
export interface Letter {
  readonly subject: string;
  readonly text: string;
}

/** One-time codes for people outside dm3, brought to them by their network. */
export class LinkCodes {
  constructor(private readonly parts: Parts) {}

  /**
   * A crash before the code has left leaves one that nobody knows; another can be had after a minute.
   * @param prepare what is committed together with the code
   * @throws NotLinkableError, RateLimitedError, CodeTooSoonError, CodeNotSentError; NetworkUnavailableError (retry)
   */
  async send(
    proof: LinkProof,
    letter: (code: string) => Letter,
    prepare: (tx: Tx) => Promise<void> = async () => {},
  ): Promise<void> {
    const { db, codes, parties, budget } = this.parts;
    const challenger = parties.challenger(proof.ghost);
    await budget.take('everybody');
    const { id, code } = await db.transaction<IssuedCode>(async (tx) => {
      await prepare(tx);
      return codes.issue(tx, this.#proof(proof));
    });
    const challenge = { id: this.#challengeId(id), to: proof.ghost.foreign, ...letter(code) };
    await challenger.sendChallenge(challenge).catch(asNotSent);
  }

  /**
   * Commits what follows from the right code, or one attempt less at a wrong one.
   * @throws CodeRefusedError, and what `use` throws: then nothing is used up
   */
  async redeem(proof: LinkProof, code: string, use: (tx: Tx) => Promise<void>): Promise<void> {
    const isRight = await this.parts.db.transaction(async (tx) => {
      const right = await this.parts.codes.check(tx, this.#proof(proof), code);
      if (right) await use(tx);
      return right;
    });
    if (!isRight) throw new CodeRefusedError({ reason: 'Invalid OTP.' });
  }

  #proof({ ghost, account, purpose }: LinkProof): Proof {
    return { account, purpose, recipient: this.parts.adapters.format(ghost.foreign) };
  }

  #challengeId(id: string): string {
    return this.parts.sealer.keyedHash('challenge of code', id).toString('hex');
  }
}

/** @throws CodeNotSentError */
function asNotSent(cause: unknown): never {
  if (cause instanceof GatewayError) throw new CodeNotSentError({ retryable: cause.retryable, cause });
  throw cause;
}
