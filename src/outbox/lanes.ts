import { randomBytes } from 'node:crypto';
import type { Queryable, Tx } from '../storage/database.js';

/** Where messages go: a mail domain, a homeserver, a delivery service. What waits for one destination is its lane. */
export interface Lane {
  /** Keyed hash. */
  readonly key: Uint8Array;
  readonly network: string;
  /** Its name, sealed for `outbox_lane` under the key in hex: operators are shown it. */
  readonly sealedName: Uint8Array;
}

/** A lane that something is wrong with, or that an operator has stopped. */
export interface LaneStatus {
  readonly key: Buffer;
  readonly network: string;
  readonly sealedName: Buffer;
  /** Times in a row that the destination could not be reached. */
  readonly failures: number;
  /** Nothing is tried before; null when it is tried as usual. */
  readonly retryAt: Date | null;
  /** Of the last failure. */
  readonly code: string | null;
  readonly pausedAt: Date | null;
  /** Pairs that are due and wait for a place. */
  readonly parked: number;
}

/** How many messages are under way to one destination at most, by network. */
export interface LaneCaps {
  readonly byNetwork: Readonly<Record<string, number>>;
  readonly others: number;
}

/** So often may a destination be out of reach before all that goes there waits for one that tries. */
const FAILURES_TO_REST = 3;
/** Destinations whose waiting pairs one round looks after, beginning anywhere: there may be more that are paused. */
const LANES_PER_ROUND = 1_000;
const KEY_BYTES = 32;

/**
 * SQL for how many pairs of a lane may be held at once. It needs `lane` (of `outbox_lane`, joined from the left),
 * `network`, and the caps as two parameters (jsonb by network, and the number for all others).
 */
export const laneSlots = (network: string, byNetwork: string, others: string): string =>
  `CASE WHEN lane.paused_at IS NOT NULL OR lane.retry_at > now()
     OR EXISTS (SELECT FROM outbox_pause p WHERE p.network = ${network}) THEN 0
   WHEN lane.failures >= ${FAILURES_TO_REST} THEN 1
   ELSE coalesce((${byNetwork}::jsonb ->> ${network})::int, ${others}::int) END`;

/**
 * One more attempt found the destination out of reach. From the third in a row on, all that goes there rests for
 * `restSeconds` and is then tried with one message.
 */
export async function laneFailed(tx: Tx, lane: Lane, code: string, restSeconds: (failures: number) => number) {
  const [row] = await tx.query<{ failures: number }>(
    `INSERT INTO outbox_lane AS lane (destination_key, network, sealed_destination, failures, last_code)
     VALUES ($1, $2, $3, 1, $4) ON CONFLICT (destination_key) DO UPDATE
     SET failures = lane.failures + 1, last_code = excluded.last_code, changed_at = now() RETURNING failures`,
    [lane.key, lane.network, lane.sealedName, code],
  );
  const beyond = row!.failures - FAILURES_TO_REST;
  if (beyond < 0) return;
  await tx.query('UPDATE outbox_lane SET retry_at = now() + make_interval(secs => $2) WHERE destination_key = $1', [
    lane.key,
    restSeconds(beyond + 1),
  ]);
}

/** Nothing is taken from the lane until it is resumed; what is under way is finished. */
export async function pauseLane(db: Queryable, lane: Lane): Promise<void> {
  await db.query(
    `INSERT INTO outbox_lane (destination_key, network, sealed_destination, paused_at) VALUES ($1, $2, $3, now())
     ON CONFLICT (destination_key) DO UPDATE SET paused_at = coalesce(outbox_lane.paused_at, now()), changed_at = now()`,
    [lane.key, lane.network, lane.sealedName],
  );
}

/** Goes on at once, whatever was wrong before. @returns false if the lane was neither paused nor resting */
export async function resumeLane(tx: Tx, key: Uint8Array): Promise<boolean> {
  const gone = await tx.query('DELETE FROM outbox_lane WHERE destination_key = $1 RETURNING 1', [key]);
  await tx.query('UPDATE outbox_head SET parked = false WHERE parked AND destination_key = $1', [key]);
  return gone.length > 0;
}

/**
 * Forgets destinations that have not failed for `days`, longest first: what was waiting for them has expired, or it would
 * have been tried since. Those that are paused stay.
 * @returns how many, `limit` at most
 */
export async function purgeLanes(db: Queryable, days: number, limit: number): Promise<number> {
  const gone = await db.query(
    `DELETE FROM outbox_lane WHERE destination_key IN (
       SELECT destination_key FROM outbox_lane WHERE paused_at IS NULL AND changed_at < now() - make_interval(days => $1)
       ORDER BY changed_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1`,
    [days, limit],
  );
  return gone.length;
}

/** @returns false if it was paused already */
export async function pauseNetwork(db: Queryable, network: string): Promise<boolean> {
  const sql = 'INSERT INTO outbox_pause (network) VALUES ($1) ON CONFLICT DO NOTHING RETURNING network';
  return (await db.query(sql, [network])).length > 0;
}

/** @returns false if it was not paused */
export async function resumeNetwork(tx: Tx, network: string): Promise<boolean> {
  const gone = await tx.query('DELETE FROM outbox_pause WHERE network = $1 RETURNING network', [network]);
  await tx.query('UPDATE outbox_head SET parked = false WHERE parked AND network = $1', [network]); // claims sort it out
  return gone.length > 0;
}

export async function pausedNetworks(db: Queryable): Promise<{ network: string; pausedAt: Date }[]> {
  return db.query('SELECT network, paused_at AS "pausedAt" FROM outbox_pause ORDER BY network');
}

/** The worst first. */
export async function troubledLanes(db: Queryable, limit = 100): Promise<LaneStatus[]> {
  return db.query<{ [Field in keyof LaneStatus]: LaneStatus[Field] }>(
    `SELECT destination_key AS key, network, sealed_destination AS "sealedName", failures, retry_at AS "retryAt",
       last_code AS code, paused_at AS "pausedAt",
       (SELECT count(*)::int FROM outbox_head h WHERE h.parked AND h.destination_key = l.destination_key) AS parked
     FROM outbox_lane l ORDER BY paused_at IS NULL, failures DESC LIMIT $1`,
    [limit],
  );
}

/**
 * Lets parked pairs back in where their lane has places for them: after a pause, a rest, or the crash of whoever held
 * them. Whoever settles a pair lets the next one of its lane in by itself.
 * @returns how many
 */
export async function unparkFree(db: Queryable, caps: LaneCaps, random = randomBytes): Promise<number> {
  const anywhere = random(KEY_BYTES);
  const [beyond, before] = [await unparkFrom(db, caps, anywhere), await unparkFrom(db, caps, Buffer.alloc(0))];
  return beyond + before;
}

async function unparkFrom(db: Queryable, caps: LaneCaps, from: Buffer): Promise<number> {
  const freed = await db.query(
    `WITH RECURSIVE waiting AS (
       (SELECT destination_key, network FROM outbox_head WHERE parked AND destination_key >= $3
        ORDER BY destination_key LIMIT 1)
       UNION ALL
       SELECT next.destination_key, next.network FROM waiting CROSS JOIN LATERAL (
         SELECT h.destination_key, h.network FROM outbox_head h
         WHERE h.parked AND h.destination_key > waiting.destination_key ORDER BY h.destination_key LIMIT 1) next
     ), free AS (
       SELECT w.destination_key, ${laneSlots('w.network', '$1', '$2')} - (
         SELECT count(*) FROM outbox_lease l WHERE l.destination_key = w.destination_key) AS places
       FROM (SELECT * FROM waiting LIMIT ${LANES_PER_ROUND}) w
       LEFT JOIN outbox_lane lane ON lane.destination_key = w.destination_key
     ) UPDATE outbox_head SET parked = false FROM (
       SELECT next.id FROM free CROSS JOIN LATERAL (
         SELECT id FROM outbox_head h WHERE h.parked AND h.destination_key = free.destination_key
         ORDER BY h.next_at LIMIT greatest(free.places, 0) FOR NO KEY UPDATE SKIP LOCKED) next
     ) chosen WHERE outbox_head.id = chosen.id RETURNING 1`,
    [JSON.stringify(caps.byNetwork), caps.others, from],
    'outbox_unpark',
  );
  return freed.length;
}
