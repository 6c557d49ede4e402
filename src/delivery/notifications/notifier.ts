import type { Clock } from '../../common/clock.js';
import { GatewayError, errorCode, isRetryable } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import { nextDelaySeconds, type RetryPolicy } from '../../outbox/retry-policy.js';
import type { Database } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import type { Traffic } from '../traffic/traffic.js';
import type { OfferedChannels } from './channel.js';
import type { DueNotification, NotificationChannelStore } from './channel.store.js';
import { RecipientGoneError } from './errors.js';

interface Parts {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly offered: OfferedChannels;
  readonly store: NotificationChannelStore;
  readonly traffic: Pick<Traffic, 'count'>;
  readonly pace: {
    /** A channel tells its account nothing more for so long. */
    readonly intervalSeconds: number;
    /** What a client gets within so long needs no notification. */
    readonly delaySeconds: number;
  };
  readonly log: EventLog;
}

const CONCURRENCY = 32;
/** Longer than a mail server or push service may take to answer. */
const LEASE_SECONDS = 300;
/** For what no process heard of, or a channel was not ready for. */
const SWEEP_MS = 60_000;
/** Between two looks at what arrived. */
const PAUSE_MS = 250;
const STOP_PATIENCE_MS = 5_000;
const RETRY: RetryPolicy = { firstSeconds: 30, factor: 2, maxSeconds: 3_600, jitter: 0.2 };
/** About half a day; by then the next message may be told of. */
const MAX_ATTEMPTS = 18;

/**
 * Tells accounts that messages wait which none of their sockets got (`pushed_at`) and no client has fetched. The mailbox
 * is what remembers it, so that submissions do no more for it than to mention the account here: a SIGKILL before a
 * notification leaves it to the next sweep, one while it is sent or before that is recorded has it sent again when the
 * lease ends. Messages whose commits overtake one another count as one.
 */
export class Notifier {
  /** When the first and the last message came that were not looked after yet. */
  readonly #arrived = new Map<EthAddress, { readonly first: number; readonly last: number }>();
  readonly #sending = new Set<Promise<void>>();
  #looking: Promise<void> = Promise.resolve();
  #lookedAt = -Infinity;
  #waiting: NodeJS.Timeout | undefined;
  #sweeping: NodeJS.Timeout | undefined;
  #isMoreDue = false;
  #isStopped = false;

  constructor(private readonly parts: Parts) {}

  start(): void {
    this.#look(null);
    this.#sweeping = setInterval(() => this.#look(null), SWEEP_MS).unref();
  }

  /** Begins nothing more and waits a little for what is under way; what takes longer may be sent again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#sweeping);
    clearTimeout(this.#waiting);
    await this.#looking;
    await settledWithin(STOP_PATIENCE_MS, [...this.#sending]);
  }

  /** A message lies in the account's mailbox. */
  arrived(account: EthAddress): void {
    if (this.#isStopped) return;
    const now = this.parts.clock.now();
    this.#arrived.set(account, { first: this.#arrived.get(account)?.first ?? now, last: now });
    this.#waiting ??= this.#waitFor(now);
  }

  /** Until what arrived at that time is old enough; those that follow one another closely are looked after together. */
  #waitFor(arrivedAt: number): NodeJS.Timeout {
    const { clock, pace } = this.parts;
    const at = Math.max(arrivedAt + pace.delaySeconds * 1_000, this.#lookedAt + PAUSE_MS);
    return setTimeout(() => this.#lookAtArrived(), at - clock.now()).unref();
  }

  #lookAtArrived(): void {
    const { clock, pace } = this.parts;
    this.#lookedAt = clock.now();
    const ripeAt = this.#lookedAt - pace.delaySeconds * 1_000;
    const ripe = [...this.#arrived].filter(([, { first }]) => first <= ripeAt);
    for (const [account, { last }] of ripe) {
      if (last <= ripeAt) this.#arrived.delete(account);
      else this.#arrived.set(account, { first: last, last });
    }
    const next = [...this.#arrived.values()].reduce((least, { first }) => Math.min(least, first), Infinity);
    this.#waiting = next === Infinity ? undefined : this.#waitFor(next);
    if (ripe.length > 0) this.#look(ripe.map(([account]) => account));
  }

  /** One after the other, so that together they take no more than there is room for. */
  #look(accounts: readonly EthAddress[] | null): void {
    this.#looking = this.#looking.then(() => this.#claim(accounts));
  }

  async #claim(accounts: readonly EthAddress[] | null): Promise<void> {
    const { db, offered, store, pace, log } = this.parts;
    const limit = CONCURRENCY - this.#sending.size;
    if (this.#isStopped || limit === 0) return void (this.#isMoreDue = true);
    const { delaySeconds } = pace;
    const options = { types: offered.types, accounts, delaySeconds, leaseSeconds: LEASE_SECONDS, limit };
    try {
      const notifications = await store.claimDue(db, options);
      for (const due of notifications) this.#begin(due);
      this.#isMoreDue ||= notifications.length === limit;
    } catch (error) {
      log.warn('notification.look-failed', { code: errorCode(error) });
    }
  }

  #begin(due: DueNotification): void {
    const sending = this.#send(due).finally(() => {
      this.#sending.delete(sending);
      if (!this.#isMoreDue) return;
      this.#isMoreDue = false;
      this.#look(null);
    });
    this.#sending.add(sending);
  }

  async #send(due: DueNotification): Promise<void> {
    const { db, offered, store, traffic, pace, log } = this.parts;
    const { type } = due;
    try {
      await offered.get(type).notify(store.recipientOf(due), this.#idOf(due));
      traffic.count({ notifications: 1 });
      log.info('notification.sent', { state: type });
      await store.settle(db, due, pace.intervalSeconds);
    } catch (error) {
      this.#logFailure(due, error);
      await this.#recordFailure(due, error).catch((failure: unknown) => this.#logFailure(due, failure));
    }
  }

  /** The same for each attempt at one notification. */
  #idOf({ id, position }: DueNotification): string {
    return this.parts.sealer.keyedHash('notification', id, position).toString('hex');
  }

  async #recordFailure(due: DueNotification, error: unknown): Promise<void> {
    const { db, store, pace } = this.parts;
    if (error instanceof RecipientGoneError) return store.drop(db, due);
    if (!isRetryable(error) || due.attempt >= MAX_ATTEMPTS) return store.settle(db, due, pace.intervalSeconds);
    return store.postpone(db, due, nextDelaySeconds(RETRY, due.attempt, Math.random()));
  }

  #logFailure({ type, attempt }: DueNotification, error: unknown): void {
    const fields = { state: type, attempt, code: errorCode(error) };
    if (error instanceof GatewayError) this.parts.log.warn('notification.failed', fields);
    else this.parts.log.error('notification.failed', fields, error);
  }
}

async function settledWithin(ms: number, work: readonly Promise<unknown>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([Promise.allSettled(work), patience]);
  clearTimeout(timer);
}
