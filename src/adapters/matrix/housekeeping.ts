import { errorCode } from '../../common/errors.js';
import type { NetworkId } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import type { Database } from '../../storage/database.js';
import { inSteps } from '../../storage/in-steps.js';
import type { EventStore } from './event.store.js';
import type { InboxStore } from './inbox.store.js';

interface Parts {
  readonly db: Database;
  readonly inbox: InboxStore;
  readonly events: EventStore;
  readonly log: EventLog;
  /** How long an operator may try again what failed for good. */
  readonly deadLetterDays: number;
}

const EVERY_MS = 60 * 60_000;
/** Homeservers repeat a transaction for days, not for weeks. */
const SETTLED_DAYS = 37;
/** As long as the message map: replies and reactions find their target. */
const EVENT_DAYS = 400;

/** Removes what has outlived its time, in small steps. */
export class MatrixHousekeeping {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(private readonly parts: Parts) {}

  start(): void {
    this.#timer = setInterval(() => (this.#running = this.run()), EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async run(): Promise<void> {
    const { db, inbox, events, log, deadLetterDays } = this.parts;
    try {
      await inSteps((limit) => inbox.eraseFailed(db, deadLetterDays, limit));
      await inSteps((limit) => inbox.purge(db, SETTLED_DAYS, limit));
      await inSteps((limit) => events.purge(db, EVENT_DAYS, limit));
    } catch (error) {
      log.warn('matrix.maintenance-failed', { network: 'matrix' as NetworkId, code: errorCode(error) });
    }
  }
}
