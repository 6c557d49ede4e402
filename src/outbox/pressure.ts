import { statfs } from 'node:fs/promises';
import { errorCode, GatewayError } from '../common/errors.js';
import type { EventLog } from '../ops/event-log.js';
import type { Database } from '../storage/database.js';
import { Wake } from './wake.js';

/** There is no room for more: whoever hands something in is asked to come back. Nothing that was accepted is touched. */
export class OverloadedError extends GatewayError {
  constructor({ reason }: { reason: string }) {
    super({
      code: 'OVERLOADED',
      kind: 'limit-exceeded',
      message: `This gateway takes no messages at the moment: ${reason}. Try again in ${RETRY_SECONDS} seconds.`,
      retryable: true,
      facts: { retryAfterSeconds: RETRY_SECONDS },
    });
  }
}

export interface PressureLimits {
  /** Messages that may wait for delivery. */
  readonly maxWaiting: number;
  readonly maxDatabaseBytes?: number | undefined;
  /** Directories on disks that must keep `minFreeBytes` free. */
  readonly diskPaths: readonly string[];
  readonly minFreeBytes: number;
}

interface Parts {
  readonly db: Database;
  readonly limits: PressureLimits;
  readonly log: EventLog;
}

const RETRY_SECONDS = 60;
const EVERY_SECONDS = 5;
/** Once shut, the doors open when so much of a limit is free again: else they would flap. */
const REOPEN_AT = 0.95;

/** What is full: the queue, for which mailboxes need not care, or the space that everything needs. */
type Full = 'queue' | 'space';

type Measurement = readonly [full: Full, reason: string, used: number, limit: number];

/**
 * Says at every door whether there is room: messages that wait, the size of the database, free space on disks. Looked
 * up every few seconds, so that asking costs nothing; what comes in between is taken.
 */
export class QueuePressure {
  readonly #stop = new Wake();
  #stopping = false;
  #run: Promise<void> = Promise.resolve();
  readonly #reasons = new Map<Full, string>();

  constructor(private readonly parts: Parts) {}

  /** Resolves when it has looked once. */
  async start(): Promise<void> {
    await this.measure();
    this.#run = this.#runUntilStopped();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stop.raise();
    await this.#run;
  }

  /** Why something is not taken; null if all is well. */
  get reason(): string | null {
    return this.#reasons.get('space') ?? this.#reasons.get('queue') ?? null;
  }

  /** For a message that would wait in the queue. @throws OverloadedError */
  checkQueue(): void {
    this.checkSpace();
    const reason = this.#reasons.get('queue');
    if (reason) throw new OverloadedError({ reason });
  }

  /** For whatever is stored. @throws OverloadedError */
  checkSpace(): void {
    const reason = this.#reasons.get('space');
    if (reason) throw new OverloadedError({ reason });
  }

  /** Looks now. A database that does not answer leaves things as they were: it says so itself to whoever needs it. */
  async measure(): Promise<void> {
    const { log } = this.parts;
    try {
      const measurements = await this.#measurements();
      for (const full of ['queue', 'space'] as const) this.#judge(full, measurements);
    } catch (error) {
      log.warn('pressure.unknown', { code: errorCode(error) });
    }
  }

  #judge(full: Full, measurements: readonly Measurement[]): void {
    const wasShut = this.#reasons.has(full);
    const ease = wasShut ? REOPEN_AT : 1;
    const over = measurements.find(([kind, , used, limit]) => kind === full && used > limit * ease);
    if (over) this.#reasons.set(full, over[1]);
    else this.#reasons.delete(full);
    if (wasShut !== (over !== undefined)) this.parts.log.warn(over ? 'doors.shut' : 'doors.open', { state: full });
  }

  async #runUntilStopped(): Promise<void> {
    while (!this.#stopping) {
      await this.#stop.wait(EVERY_SECONDS * 1_000);
      if (!this.#stopping) await this.measure();
    }
  }

  async #measurements(): Promise<Measurement[]> {
    const { db, limits } = this.parts;
    const { maxWaiting, maxDatabaseBytes } = limits;
    // Counts no further than it needs to.
    const sql = 'SELECT count(*)::int AS waiting FROM (SELECT FROM outbox_item LIMIT $1) item';
    const [queue] = await db.query<{ waiting: number }>(sql, [maxWaiting + 1], 'pressure_waiting');
    const waiting: Measurement = ['queue', 'too many messages wait for delivery', queue!.waiting, maxWaiting];
    const disks = await Promise.all(limits.diskPaths.map((path) => this.#disk(path)));
    return [waiting, ...(await this.#database(maxDatabaseBytes)), ...disks];
  }

  async #database(limit: number | undefined): Promise<Measurement[]> {
    if (limit === undefined) return [];
    const sql = 'SELECT pg_database_size(current_database())::float8 AS bytes';
    const [size] = await this.parts.db.query<{ bytes: number }>(sql);
    return [['space', 'the database is full', size!.bytes, limit]];
  }

  async #disk(path: string): Promise<Measurement> {
    const { bavail, bsize } = await statfs(path);
    const { minFreeBytes } = this.parts.limits;
    // As a share that is used: what must stay free against what is.
    return ['space', 'a disk is full', minFreeBytes / Math.max(bavail * bsize, 1), 1];
  }
}
