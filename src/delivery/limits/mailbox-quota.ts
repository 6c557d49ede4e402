import type { Clock } from '../../common/clock.js';
import type { EthAddress } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import type { MailboxStore } from '../mailbox/mailbox.store.js';
import { MailboxFullError } from './errors.js';

export interface Amount {
  readonly messages: number;
  readonly bytes: number;
}

/** Asks for room, within the transaction that is going to fill it. @throws MailboxFullError */
export type ClaimRoom = (tx: Queryable) => Promise<void>;

interface Parts {
  readonly clock: Clock;
  readonly mailbox: Pick<MailboxStore, 'weigh'>;
  readonly quota: Amount;
}

/** What this process knows of a mailbox. What is deleted shows at the next weighing. */
interface Account {
  /** What lay in it at the last weighing. */
  weighed: Amount;
  /** What this process claimed since it began, and how much of that has ended, one way or the other. */
  claimed: Amount;
  ended: Amount;
  /** What had ended before the last weighing, which therefore shows it; all that is claimed beyond counts beside it. */
  shown: Amount;
  /** Up to here it need not be weighed again. */
  trusted: Amount;
  /** When it was found full, and need not be weighed again at once: until then, milliseconds since the epoch. */
  fullUntil: number;
}

const NOTHING: Amount = { messages: 0, bytes: 0 };
/** What part of the room left is filled before weighing again: other processes fill it, too. */
const TRUSTED_PART = 0.1;
const FULL_MS = 1_000;
const MAX_ACCOUNTS = 50_000;

/**
 * Bounds what waits in a mailbox. Each process weighs a mailbox when it first meets it, counts along, and weighs it
 * again the more often the fuller it is: an ordinary submission costs no query, and no row is fought over. One process
 * alone never lets in more than the quota; each further one may overshoot by a tenth of what was left.
 */
export class MailboxQuota {
  readonly #accounts = new Map<EthAddress, Account>();

  constructor(private readonly parts: Parts) {}

  /** Runs `work`. What it claims counts until a later weighing shows what came of it. */
  async hold<T>(receiver: EthAddress, bytes: number, work: (claim: ClaimRoom) => Promise<T>): Promise<T> {
    const amount = { messages: 1, bytes };
    let account: Account | undefined;
    try {
      return await work(async (tx) => void (account = await this.#claim(tx, receiver, amount)));
    } finally {
      if (account) account.ended = plus(account.ended, amount);
    }
  }

  /** Something was taken out: even a mailbox that was just found full is weighed for the next one. */
  freed(receiver: EthAddress): void {
    const account = this.#accounts.get(receiver);
    if (account) account.fullUntil = 0;
  }

  async #claim(tx: Queryable, receiver: EthAddress, amount: Amount): Promise<Account> {
    const { clock, quota } = this.parts;
    const account = this.#accounts.get(receiver) ?? this.#open(receiver);
    const isTrusted = isWithin(plus(held(account), amount), account.trusted);
    if (!isTrusted && clock.now() >= account.fullUntil) await this.#weigh(tx, receiver, account);
    if (!isWithin(plus(held(account), amount), quota)) {
      if (clock.now() >= account.fullUntil) account.fullUntil = clock.now() + FULL_MS;
      throw new MailboxFullError({ quota });
    }
    account.claimed = plus(account.claimed, amount);
    return account;
  }

  #open(receiver: EthAddress): Account {
    const account = {
      weighed: NOTHING,
      claimed: NOTHING,
      ended: NOTHING,
      shown: NOTHING,
      trusted: NOTHING,
      fullUntil: 0,
    };
    this.#accounts.set(receiver, account);
    if (this.#accounts.size > MAX_ACCOUNTS) this.#accounts.delete(this.#accounts.keys().next().value!);
    return account;
  }

  async #weigh(tx: Queryable, receiver: EthAddress, account: Account): Promise<void> {
    const shown = account.ended;
    const weighed = await this.parts.mailbox.weigh(tx, receiver);
    const left = minus(this.parts.quota, weighed);
    const part = {
      messages: Math.floor(left.messages * TRUSTED_PART),
      bytes: Math.floor(left.bytes * TRUSTED_PART),
    };
    Object.assign(account, { weighed, shown, trusted: plus(weighed, part) });
  }
}

const held = ({ weighed, claimed, shown }: Account): Amount => plus(weighed, minus(claimed, shown));
const plus = (a: Amount, b: Amount): Amount => ({ messages: a.messages + b.messages, bytes: a.bytes + b.bytes });
const minus = (a: Amount, b: Amount): Amount => ({ messages: a.messages - b.messages, bytes: a.bytes - b.bytes });
const isWithin = (a: Amount, bound: Amount): boolean => a.messages <= bound.messages && a.bytes <= bound.bytes;
