import { errorCode } from '../common/errors.js';
import type { EventLog } from '../ops/event-log.js';
import type { Database } from '../storage/database.js';
import { StorageUnavailableError } from '../storage/errors.js';
import { Absentees, GRACE_MS } from './absentees.js';
import { claimExpired } from './claim.js';
import { delayedItems, tellLater, tellOnce, type DelayedItem } from './delays.js';
import { unparkFree, type LaneCaps } from './lanes.js';
import type { LeasedItem } from './leases.js';
import type { ItemHandler } from './item-handler.js';
import type { SignOfLife } from './sign-of-life.js';
import { Wake } from './wake.js';

interface Parts {
  readonly db: Database;
  readonly handlers: ReadonlyMap<string, ItemHandler>;
  readonly caps: LaneCaps;
  readonly leaseSeconds: number;
  readonly pollSeconds: number;
  readonly signOfLife: SignOfLife;
  readonly log: EventLog;
  /** Something may be claimed that could not before. */
  readonly wake: () => void;
  /** Fails a leased item whose time is over. */
  readonly expire: (item: LeasedItem) => void;
}

/** Items that one round looks after, so that stopping never waits long. */
const PER_ROUND = 50;
/** Messages whose time is over are looked for so seldom. */
const EXPIRY_EVERY_MS = 30_000;
const TELL_AGAIN_SECONDS = 600;
/** Where the database ended the attempt: a worker puts the same item off at that moment, and one of the two has to yield. */
const TELL_SOON_SECONDS = 1;

/**
 * Looks after what waits and does not move: what dead workers held, free places in lanes, authors who should hear of a
 * delay, expired messages.
 */
export class Caretaker {
  readonly #absentees: Absentees;
  readonly #stop = new Wake();
  #stopping = false;
  #run: Promise<void> = Promise.resolve();
  #expiryDue = 0;

  constructor(private readonly parts: Parts) {
    this.#absentees = new Absentees(parts.db, parts.signOfLife.id);
  }

  start(): void {
    this.#run = this.#runUntilStopped();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stop.raise();
    await this.#run;
  }

  async #runUntilStopped(): Promise<void> {
    const { pollSeconds, log } = this.parts;
    while (!this.#stopping) {
      await this.#round().catch((error: unknown) => log.warn('outbox.care-failed', { code: errorCode(error) }));
      await this.#stop.wait(Math.min(pollSeconds * 1_000, this.#absentees.areMissed ? GRACE_MS : Infinity));
    }
  }

  async #round(): Promise<void> {
    const { db, caps, wake } = this.parts;
    await this.#takeOver();
    if ((await unparkFree(db, caps)) > 0) wake();
    await this.#tellDelays();
    await this.#expire();
  }

  async #takeOver(): Promise<void> {
    const { log, wake } = this.parts;
    const count = await this.#absentees.look();
    if (count === 0) return;
    log.warn('outbox.taken-over', { count });
    wake();
  }

  async #tellDelays(): Promise<void> {
    for (const item of await delayedItems(this.parts.db, PER_ROUND)) {
      if (this.#stopping) return;
      await this.#tell(item);
    }
  }

  async #tell(item: DelayedItem): Promise<void> {
    const { db, handlers, log } = this.parts;
    const handler = handlers.get(item.kind);
    try {
      await tellOnce(db, item, async (tx) => handler?.delayed?.(tx, item));
    } catch (error) {
      log.warn('outbox.delay-untold', { id: item.ref, code: errorCode(error) });
      await tellLater(db, item, error instanceof StorageUnavailableError ? TELL_SOON_SECONDS : TELL_AGAIN_SECONDS);
    }
  }

  async #expire(): Promise<void> {
    const { db, leaseSeconds, signOfLife, expire } = this.parts;
    if (Date.now() < this.#expiryDue) return;
    const items = await claimExpired(db, { limit: PER_ROUND, leaseSeconds, holder: signOfLife.holder });
    for (const item of items) expire(item);
    if (items.length < PER_ROUND) this.#expiryDue = Date.now() + EXPIRY_EVERY_MS;
  }
}
