import { errorCode } from '../../common/errors.js';
import type { EventLog } from '../../ops/event-log.js';
import type { Database } from '../../storage/database.js';
import { inSteps } from '../../storage/in-steps.js';
import type { EventStore } from './event.store.js';
import type { InboxStore } from './inbox.store.js';
import { MATRIX } from './network.js';
import type { RoomStore } from './room.store.js';

interface Parts {
  readonly db: Database;
  readonly inbox: InboxStore;
  readonly events: EventStore;
  readonly rooms: RoomStore;
  readonly log: EventLog;
  /** How long an operator may try again what failed for good. */
  readonly deadLetterDays: number;
}

const EVERY_MS = 60 * 60_000;
/** Homeservers repeat a transaction for days, not for weeks. */
const SETTLED_DAYS = 37;
/** As long as the message map: replies and reactions find their target. */
const EVENT_DAYS = 400;
/** Longer than any message is tried for which a chat is made. */
const MAKING_DAYS = 30;

/** Removes what has outlived its time, in small steps. */
export class MatrixHousekeeping {
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(private readonly parts: Parts) {}

  start(): void {
    this.#timer = setInterval(() => (this.#running = this.run()), EVERY_MS).unref();
  }

  /** Waits for the step under way only. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped.abort();
    await this.#running;
  }

  /** By one process at a time; one kind that fails does not keep the others. */
  async run(): Promise<void> {
    const { db } = this.parts;
    await db
      .withLockIfFree('matrix-housekeeping', () => this.#removeAll())
      .catch((error: unknown) => this.#complain(error));
  }

  async #removeAll(): Promise<void> {
    const { db, inbox, events, rooms, deadLetterDays } = this.parts;
    const { signal } = this.#stopped;
    const removals = [
      (limit: number) => inbox.eraseFailed(db, deadLetterDays, limit),
      (limit: number) => inbox.purge(db, SETTLED_DAYS, limit),
      (limit: number) => events.purge(db, EVENT_DAYS, limit),
      (limit: number) => rooms.giveUp(db, MAKING_DAYS, limit),
    ];
    for (const step of removals) await inSteps(step, { signal }).catch((error: unknown) => this.#complain(error));
  }

  #complain(error: unknown): void {
    if (this.#stopped.signal.aborted) return;
    this.parts.log.warn('matrix.maintenance-failed', { network: MATRIX, code: errorCode(error) });
  }
}
