import { randomUUID } from 'node:crypto';
import { errorCode } from '../common/errors.js';
import type { EventLog } from '../ops/event-log.js';
import type { Database } from '../storage/database.js';
import { SessionLock } from '../storage/session-lock.js';
import { Wake } from './wake.js';

/** How soon a worker whose session was cut shows itself again. */
const LOOK_EVERY_MS = 1_000;

const lockOf = (id: string) => `worker/${id}`;

/**
 * By which the others see that a worker is alive: a lock of the database, which ends with its process. A frozen process
 * keeps it. Leases carry the worker's id while it holds the lock, and no name while it does not: then only their time
 * counts, as nobody could tell.
 */
export class SignOfLife {
  readonly id = randomUUID();
  readonly #lock: SessionLock;
  readonly #wake = new Wake();
  #isShown = false;
  #stopping = false;
  #keeping: Promise<void> = Promise.resolve();

  /** @param onChange leases should carry another name from now on */
  constructor(
    db: Database,
    private readonly onChange: () => void,
    private readonly log: EventLog,
  ) {
    this.#lock = new SessionLock(db, lockOf(this.id));
  }

  /** What leases are to carry now. */
  get holder(): string | null {
    return this.#isShown ? this.id : null;
  }

  /** Resolves after the first try; goes on trying then. */
  async start(): Promise<void> {
    await this.#show();
    this.#keeping = this.#keepUntilStopped();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake.raise();
    await this.#keeping;
    await this.#lock.release();
  }

  async #keepUntilStopped(): Promise<void> {
    while (!this.#stopping) {
      await this.#wake.wait(LOOK_EVERY_MS);
      if (!this.#stopping && !this.#isShown) await this.#show();
    }
  }

  /** In vain while the server has not noticed yet that the session before has ended: nobody takes it for dead then. */
  async #show(): Promise<void> {
    try {
      this.#isShown = await this.#lock.tryAcquire(() => this.#lose());
      if (this.#isShown) this.onChange();
    } catch (error) {
      this.log.warn('outbox.unseen', { code: errorCode(error) });
    }
  }

  #lose(): void {
    this.#isShown = false;
    this.onChange();
  }
}

/** Workers, but for oneself, that hold leases and show no sign of life. */
export async function absentHolders(db: Database, self: string): Promise<string[]> {
  const rows = await db.query<{ holder: string }>(
    `WITH holder AS MATERIALIZED (
       SELECT DISTINCT holder AS id FROM outbox_lease WHERE holder <> $1
     ) SELECT id AS holder FROM holder WHERE ${isAbsent('id', '$2')}`,
    [self, `${db.schema}/${lockOf('')}`],
    'outbox_absent',
  );
  return rows.map(({ holder }) => holder);
}

/**
 * Ends the leases of workers that are still not to be seen: the next claim gets their pairs, and what they have not
 * settled by now they never will (`assertHeld`).
 * @returns how many
 */
export async function takeBack(db: Database, holders: readonly string[]): Promise<number> {
  const freed = await db.query(
    `WITH absent AS MATERIALIZED (SELECT id FROM unnest($1::uuid[]) AS holder (id) WHERE ${isAbsent('id', '$2')}), lease AS (
       SELECT head_id FROM outbox_lease JOIN absent ON holder = absent.id FOR UPDATE OF outbox_lease SKIP LOCKED
     ) DELETE FROM outbox_lease l USING lease WHERE l.head_id = lease.head_id RETURNING 1`,
    [holders, `${db.schema}/${lockOf('')}`],
    'outbox_take_back',
  );
  return freed.length;
}

/** Whoever gets the lock, for the statement only, knows that nobody else has it. */
const isAbsent = (id: string, prefix: string) => `pg_try_advisory_xact_lock(hashtextextended(${prefix} || ${id}, 0))`;
