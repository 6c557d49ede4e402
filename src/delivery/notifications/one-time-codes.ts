import { randomInt, randomUUID, timingSafeEqual } from 'node:crypto';
import type { EthAddress } from '../../common/ids.js';
import type { Tx } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { notificationCodeStore as store, type RecentCodes } from './code.store.js';
import { CodeRefusedError, CodeTooSoonError } from './errors.js';

export const CODE_MINUTES = 10;
const RESEND_SECONDS = 60;
/** Clients ask for five digits; the first is not 0, in case one of them reads a number. */
const [LOWEST, HIGHEST] = [10_000, 99_999];
/** Of a code; it is worth no more guesses. */
const MAX_ATTEMPTS = 5;
const DAY_SECONDS = 86_400;
/** With the attempts above, what bounds guessing: 1 in 1,800 a day for an account, half of that for a mailbox. */
const PER_ACCOUNT_AND_DAY = 10;
/** And how much unwanted mail all accounts together can have us send to somebody. */
const PER_RECIPIENT_AND_DAY = 5;

/** What a code proves: nothing else than this. */
export interface Proof {
  /** Who wants to prove it. */
  readonly account: EthAddress;
  /** Where the code goes. */
  readonly recipient: string;
  /** What follows if it is typed in, down to the very request. */
  readonly purpose: string;
}

export interface IssuedCode {
  readonly id: string;
  readonly code: string;
}

/** One-time passwords that prove who reads what is sent to a recipient. Only keyed hashes of them are kept. */
export class OneTimeCodes {
  constructor(private readonly sealer: Sealer) {}

  /**
   * A new code; from now on it is the only good one for its purpose.
   * @throws CodeTooSoonError
   */
  async issue(tx: Tx, proof: Proof): Promise<IssuedCode> {
    const { account, recipient } = proof;
    const recipientKey = this.sealer.keyedHash('notification code to', withoutTag(recipient));
    await store.lock(tx, account, recipientKey);
    refuseTooSoon(await store.recentOf(tx, account), PER_ACCOUNT_AND_DAY, RESEND_SECONDS);
    refuseTooSoon(await store.recentTo(tx, recipientKey), PER_RECIPIENT_AND_DAY, 0);
    const issued = { id: randomUUID(), code: String(randomInt(LOWEST, HIGHEST + 1)) };
    const keys = { purpose: this.#purposeKey(proof), recipient: recipientKey, code: this.#key(issued, proof) };
    await store.add(tx, issued.id, account, keys);
    return issued;
  }

  /**
   * Uses up the code, or one of the attempts at it: the caller commits either way.
   * @returns false for a wrong one
   * @throws CodeRefusedError if none would be right
   */
  async check(tx: Tx, proof: Proof, code: string): Promise<boolean> {
    const tried = await store.tryLatest(tx, proof.account, this.#purposeKey(proof));
    if (!tried || tried.isUsed) {
      throw new CodeRefusedError({ reason: 'Otp not found, please resend the OTP for verification.' });
    }
    if (tried.age > CODE_MINUTES * 60) throw new CodeRefusedError({ reason: 'OTP is expired; ask for a new one.' });
    if (tried.attempts > MAX_ATTEMPTS) {
      throw new CodeRefusedError({ reason: 'Too many wrong OTPs were tried; ask for a new one.' });
    }
    if (!timingSafeEqual(this.#key({ id: tried.id, code }, proof), tried.codeKey)) return false;
    await store.use(tx, tried.id);
    return true;
  }

  /** Of the recipient too: a code that went to one address proves no other. */
  #key({ id, code }: IssuedCode, { recipient }: Proof): Buffer {
    return this.sealer.keyedHash('notification code', id, recipient, code);
  }

  #purposeKey({ purpose }: Proof): Buffer {
    return this.sealer.keyedHash('notification code for', purpose);
  }
}

/** @throws CodeTooSoonError */
function refuseTooSoon({ count, firstAge, lastAge }: RecentCodes, perDay: number, pauseSeconds: number): void {
  const pause = count === 0 ? 0 : pauseSeconds - lastAge;
  const wait = count < perDay ? pause : Math.max(pause, DAY_SECONDS - firstAge);
  if (wait > 0) throw new CodeTooSoonError({ retryAfterSeconds: Math.ceil(wait) });
}

/** Many mail services deliver `ann+anything@…` to `ann@…`. */
function withoutTag(recipient: string): string {
  return recipient.toLowerCase().replace(/\+[^@]*(?=@)/, '');
}
