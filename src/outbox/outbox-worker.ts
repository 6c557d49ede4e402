import { setTimeout as delay } from 'node:timers/promises';
import { GatewayError, errorCode, isOutage, isRetryable } from '../common/errors.js';
import type { EventLog } from '../ops/event-log.js';
import { killPoint } from '../ops/kill-points.js';
import type { Database, Tx } from '../storage/database.js';
import { StorageUnavailableError } from '../storage/errors.js';
import { Caretaker } from './caretaker.js';
import { ChannelListener } from './channel-listener.js';
import { claimDue } from './claim.js';
import { LeaseLostError, NeverTriedError, UnknownKindError } from './errors.js';
import type { Claim, ItemHandler } from './item-handler.js';
import { laneFailed, type Lane, type LaneCaps } from './lanes.js';
import {
  assertHeld,
  buryItem,
  finishItem,
  hasExpired,
  isHeld,
  postponeItem,
  renewLeases,
  type LeasedItem,
} from './leases.js';
import type { Outbox } from './outbox.js';
import { nextDelaySeconds, type RetryPolicy } from './retry-policy.js';
import { SignOfLife } from './sign-of-life.js';
import { Wake } from './wake.js';

export interface OutboxWorkerOptions {
  readonly db: Database;
  readonly outbox: Outbox;
  /** By kind. */
  readonly handlers: ReadonlyMap<string, ItemHandler>;
  readonly policyOf: (network: string) => RetryPolicy;
  /** How many pairs are worked on at once. */
  readonly concurrency: number;
  /** How many pairs of all workers together may go to one destination. */
  readonly caps: LaneCaps;
  /** How long a pair stays with a worker that fell silent. */
  readonly leaseSeconds: number;
  /** How late a due retry, a lapsed lease or a lost notification is noticed. */
  readonly pollSeconds: number;
  readonly log: EventLog;
  readonly random?: () => number;
}

const RENEWALS_PER_LEASE = 3;
/** What another worker was just looking at, and left since it had no room, shows at a second look. */
const SECOND_LOOK_MS = 100;
const SETTLE_TRIES = 5;
const SETTLE_PAUSE_MS = 100;
/** A destination that was out of reach for long is tried again so soon at the latest: much waits for that one attempt. */
const LONGEST_REST_SECONDS = 300;

/**
 * Empties the queue: strictly in order and one at a time inside a pair, many pairs at once. Several workers, in one
 * process or many, share one queue.
 */
export class OutboxWorker {
  readonly #wake = new Wake();
  readonly #stopped = new Wake();
  readonly #running = new Map<LeasedItem, Promise<void>>();
  readonly #routes = new WeakMap<LeasedItem, Lane>();
  readonly #listener: ChannelListener;
  readonly #signOfLife: SignOfLife;
  readonly #caretaker: Caretaker;
  #stopping = false;
  #claiming: Promise<void> = Promise.resolve();
  #renewing: Promise<void> = Promise.resolve();
  #renews = false;
  #isCrowded = false;

  constructor(private readonly options: OutboxWorkerOptions) {
    const { db, outbox, log } = options;
    this.#listener = new ChannelListener(db, outbox.channel, () => this.wake(), log);
    this.#signOfLife = new SignOfLife(db, () => void this.#renew(), log);
    this.#caretaker = new Caretaker({
      ...options,
      signOfLife: this.#signOfLife,
      wake: () => this.wake(),
      expire: (item) => this.#start(item, (held) => this.#processFailure(held, new NeverTriedError())),
    });
  }

  async start(): Promise<void> {
    await this.#signOfLife.start();
    this.#listener.start();
    this.#renews = true;
    this.#renewing = this.#renewUntilStopped();
    this.#claiming = this.#claimUntilStopped();
    this.#caretaker.start();
  }

  /**
   * Claims nothing more and waits for the handlers under way, whose leases it keeps. How long is the caller's to say: who
   * ends the process before has them taken over.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake.raise();
    await Promise.all([this.#claiming, this.#caretaker.stop()]);
    await Promise.all(this.#running.values());
    this.#renews = false;
    this.#stopped.raise();
    await Promise.all([this.#renewing, this.#listener.stop(), this.#signOfLife.stop()]);
  }

  /** Looks for due pairs now instead of at the next poll. */
  wake(): void {
    this.#wake.raise();
  }

  async #claimUntilStopped(): Promise<void> {
    for (let wasRaised = false; !this.#stopping;) {
      await this.#claim();
      wasRaised = await this.#wake.wait(
        Math.min(wasRaised ? SECOND_LOOK_MS : Infinity, this.options.pollSeconds * 1_000),
      );
    }
  }

  async #claim(): Promise<void> {
    const { db, concurrency, caps, leaseSeconds, log } = this.options;
    const limit = concurrency - this.#running.size;
    if (limit <= 0) return;
    try {
      const held = [...this.#running.keys()].map(({ headId }) => headId);
      const { holder } = this.#signOfLife;
      const isCrowded = this.#isCrowded;
      const { items, more, ...seen } = await claimDue(db, { limit, leaseSeconds, caps, held, holder, isCrowded });
      this.#isCrowded = seen.isCrowded;
      for (const item of items) this.#start(item, (leased) => this.#process(leased));
      if (holder !== this.#signOfLife.holder) void this.#renew();
      if (more) this.wake(); // what is due beyond these may go elsewhere
    } catch (error) {
      log.warn('outbox.claim-failed', { code: errorCode(error) });
    }
  }

  async #renewUntilStopped(): Promise<void> {
    while (this.#renews) {
      await this.#stopped.wait((this.options.leaseSeconds * 1_000) / RENEWALS_PER_LEASE);
      await this.#renew();
    }
  }

  async #renew(): Promise<void> {
    const { db, leaseSeconds, log } = this.options;
    const { holder } = this.#signOfLife;
    if (this.#running.size === 0) return;
    await renewLeases(db, [...this.#running.keys()], { leaseSeconds, holder }).catch((error: unknown) =>
      log.warn('outbox.renew-failed', { code: errorCode(error) }),
    );
  }

  #start(item: LeasedItem, work: (item: LeasedItem) => Promise<void>): void {
    this.#running.set(item, this.#run(item, work));
  }

  /** Never rejects: what could not be written down is left to the lease. */
  async #run(item: LeasedItem, work: (item: LeasedItem) => Promise<void>): Promise<void> {
    try {
      await work(item);
    } catch (error) {
      const { ref: id, network, attempt } = item;
      this.options.log.warn('outbox.left-to-lease', { id, network, attempt, code: errorCode(error) });
    } finally {
      this.#running.delete(item);
      this.#wake.raise();
    }
  }

  async #process(item: LeasedItem): Promise<void> {
    killPoint('outbox.claimed');
    try {
      const record = await this.#handle(item);
      await this.#settle(async (tx) => {
        await record?.(tx);
        await finishItem(tx, item);
        killPoint('outbox.settling');
      });
      killPoint('outbox.settled');
    } catch (error) {
      if (error instanceof LeaseLostError) throw error;
      await this.#processFailure(item, error);
    }
  }

  async #handle(item: LeasedItem): Promise<((tx: Tx) => Promise<void>) | void> {
    const handler = this.options.handlers.get(item.kind);
    if (!handler) throw new UnknownKindError({ kind: item.kind });
    const commit: Claim['commit'] = (work) =>
      this.options.db.transaction(async (tx) => {
        const result = await work(tx);
        await assertHeld(tx, item);
        return result;
      });
    const routedTo = (lane: Lane): void => void this.#routes.set(item, lane);
    return handler.handle({ ...item, commit, routedTo });
  }

  async #processFailure(item: LeasedItem, error: unknown): Promise<void> {
    await this.#reportFailure(item, error);
    try {
      await this.#settle((tx) => this.#recordFailure(tx, item, error));
    } catch (failure) {
      if (failure instanceof LeaseLostError) throw failure;
      await this.#reportFailure(item, failure);
      await this.#settle((tx) => this.#postpone(tx, item, failure)); // the handler's `fail` threw: it has to run again
    }
  }

  async #recordFailure(tx: Tx, item: LeasedItem, error: unknown): Promise<void> {
    const permanent = !isRetryable(error) || (await hasExpired(tx, item));
    if (!permanent) return this.#postpone(tx, item, error);
    await this.options.handlers.get(item.kind)?.fail(tx, item, error);
    await buryItem(tx, item, { code: errorCode(error), laneIsWell: !isRetryable(error) });
    killPoint('outbox.burying');
    tx.afterCommit(() => killPoint('outbox.buried'));
  }

  async #postpone(tx: Tx, item: LeasedItem, error: unknown): Promise<void> {
    const { policyOf, random = Math.random, handlers } = this.options;
    const [code, policy, lane] = [errorCode(error), policyOf(item.network), this.#routes.get(item)];
    const delaySeconds = nextDelaySeconds(policy, item.attempt, random());
    const nextAt = await postponeItem(tx, item, { code, delaySeconds, lane: lane?.key });
    await handlers.get(item.kind)?.postponed?.(tx, item, error, nextAt);
    if (lane && isOutage(error)) {
      const rest = { ...policy, maxSeconds: Math.min(policy.maxSeconds, LONGEST_REST_SECONDS) };
      await laneFailed(tx, lane, code, (failures) => nextDelaySeconds(rest, failures, random()));
    }
    killPoint('outbox.postponing');
    tx.afterCommit(() => killPoint('outbox.postponed'));
  }

  /** Outlives a short outage of the database: until the end is written, the far side may get the same message again. */
  async #settle(work: (tx: Tx) => Promise<void>): Promise<void> {
    for (let pauseMs = SETTLE_PAUSE_MS, left = SETTLE_TRIES - 1; ; pauseMs *= 2, left -= 1) {
      try {
        return await this.options.db.transaction(work);
      } catch (error) {
        if (left === 0 || !(error instanceof StorageUnavailableError)) throw error;
        await delay(pauseMs);
      }
    }
  }

  /** Whose item somebody took over fails because of that, whatever the error says. @throws LeaseLostError */
  async #reportFailure(item: LeasedItem, error: unknown): Promise<void> {
    const isOurs = await isHeld(this.options.db, item).catch(() => true); // settling it meets the same trouble
    if (!isOurs) throw new LeaseLostError();
    this.#logFailure(item, error);
  }

  #logFailure({ ref: id, network, attempt }: LeasedItem, error: unknown): void {
    const fields = { id, network, attempt, code: errorCode(error) };
    if (error instanceof GatewayError) this.options.log.warn('outbox.failed', fields);
    else this.options.log.error('outbox.failed', fields, error);
  }
}
