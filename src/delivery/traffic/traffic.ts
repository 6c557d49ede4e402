import type { Clock } from '../../common/clock.js';
import { errorCode } from '../../common/errors.js';
import type { EventLog } from '../../ops/event-log.js';
import type { Database } from '../../storage/database.js';
import { trafficStore, type Counts, type IntervalCounts } from './traffic.store.js';

interface Parts {
  readonly db: Database;
  readonly clock: Clock;
  readonly metrics: { readonly intervalSeconds: number; readonly retentionSeconds: number };
  readonly log: EventLog;
}

const FLUSH_EVERY_MS = 3_000;
/** After its end an interval is hidden so long: every process has written down its share by then. */
const SETTLE_SECONDS = 10;

const NOTHING: Counts = { messages: 0, bytes: 0, notifications: 0 };

/**
 * Counts what comes in, by interval, for the metrics that dm3 delivery services publish. Counting costs a submission no
 * statement: the sums of this process are kept in memory and added to the table every few seconds and at shutdown, so
 * a crash loses a few seconds of statistics.
 */
export class Traffic {
  /** By the interval's start, seconds since the epoch. */
  #counted = new Map<number, Counts>();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(private readonly parts: Parts) {}

  start(): void {
    this.#timer = setInterval(() => void this.flush(), FLUSH_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  count(counts: Partial<Counts>): void {
    const { intervalSeconds } = this.parts.metrics;
    this.#add({ ...NOTHING, ...counts, start: Math.floor(this.#now() / intervalSeconds) * intervalSeconds });
  }

  /** Adds what was counted to the table; what cannot be added now goes with the next flush. */
  flush(): Promise<void> {
    return (this.#flushing = this.#flushing.then(() => this.#flush()));
  }

  /** Finished intervals within the retention, oldest first. @throws StorageUnavailableError */
  finished(): Promise<IntervalCounts[]> {
    const { db, metrics } = this.parts;
    const now = this.#now();
    return trafficStore.between(db, now - metrics.retentionSeconds, now - metrics.intervalSeconds - SETTLE_SECONDS);
  }

  #now(): number {
    return this.parts.clock.now() / 1_000;
  }

  #add({ start, messages, bytes, notifications }: IntervalCounts): void {
    const before = this.#counted.get(start) ?? NOTHING;
    this.#counted.set(start, {
      messages: before.messages + messages,
      bytes: before.bytes + bytes,
      notifications: before.notifications + notifications,
    });
  }

  async #flush(): Promise<void> {
    const intervals = [...this.#counted].map(([start, counts]) => ({ start, ...counts }));
    if (intervals.length === 0) return;
    this.#counted = new Map();
    try {
      await trafficStore.add(this.parts.db, intervals);
    } catch (error) {
      for (const interval of intervals) this.#add(interval);
      this.parts.log.warn('traffic.flush-failed', { code: errorCode(error) });
    }
  }
}
