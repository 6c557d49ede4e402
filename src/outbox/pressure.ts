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

type Measurement = readonly [reason: string, used: number, limit: number];

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

  /**
   * Looks now, at each thing by itself. What cannot be measured leaves things as they were: a database that does not
   * answer says so itself to whoever needs it.
   */
  async measure(): Promise<void> {
    await this.#look('queue', [() => this.#waiting()]);
    const disks = this.parts.limits.diskPaths.map((path) => () => this.#disk(path));
    await this.#look('space', [() => this.#database(), ...disks]);
  }

  async #look(full: Full, ways: readonly (() => Promise<Measurement | null>)[]): Promise<void> {
    const looked = await Promise.allSettled(ways.map((way) => way()));
    const unknown = looked.filter((each) => each.status === 'rejected');
    for (const { reason } of unknown) this.parts.log.warn('pressure.unknown', { state: full, code: errorCode(reason) });
    const known = looked.flatMap((each) => (each.status === 'fulfilled' && each.value ? [each.value] : []));
    this.#judge(full, known, unknown.length > 0);
  }

  #judge(full: Full, measurements: readonly Measurement[], isPartly: boolean): void {
    const wasShut = this.#reasons.has(full);
    const ease = wasShut ? REOPEN_AT : 1;
    const over = measurements.find(([, used, limit]) => used > limit * ease);
    if (over) this.#reasons.set(full, over[0]);
    else if (!isPartly) this.#reasons.delete(full);
    const isShut = this.#reasons.has(full);
    if (wasShut !== isShut) this.parts.log.warn(isShut ? 'doors.shut' : 'doors.open', { state: full });
  }

  async #runUntilStopped(): Promise<void> {
    while (!this.#stopping) {
      await this.#stop.wait(EVERY_SECONDS * 1_000);
      if (!this.#stopping) await this.measure();
    }
  }

  /** Counts no further than it needs to. */
  async #waiting(): Promise<Measurement> {
    const { maxWaiting } = this.parts.limits;
    const sql = 'SELECT count(*)::int AS waiting FROM (SELECT FROM outbox_item LIMIT $1) item';
    const [queue] = await this.parts.db.query<{ waiting: number }>(sql, [maxWaiting + 1], 'pressure_waiting');
    return ['too many messages wait for delivery', queue!.waiting, maxWaiting];
  }

  async #database(): Promise<Measurement | null> {
    const { maxDatabaseBytes } = this.parts.limits;
    if (maxDatabaseBytes === undefined) return null;
    const sql = 'SELECT pg_database_size(current_database())::float8 AS bytes';
    const [size] = await this.parts.db.query<{ bytes: number }>(sql);
    return ['the database is full', size!.bytes, maxDatabaseBytes];
  }

  async #disk(path: string): Promise<Measurement> {
    const { bavail, bsize } = await statfs(path);
    const { minFreeBytes } = this.parts.limits;
    // As a share that is used: what must stay free against what is.
    return ['a disk is full', minFreeBytes / Math.max(bavail * bsize, 1), 1];
  }
}
