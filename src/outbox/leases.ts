import type { Queryable, Tx } from '../storage/database.js';
import { LeaseLostError } from './errors.js';

/**
 * The first item of a pair, held by one worker. The lease keeps others away while it lasts; the fence, another
 * number for each claim, tells a worker whose lease ran out from the one that took over. All times are the database's.
 *
 * Leases have a table of their own, so that to claim a pair changes none of the indexes that the whole queue is in.
 */
export interface LeasedItem {
  readonly headId: string;
  readonly fence: string;
  readonly seq: string;
  readonly network: string;
  /** Keyed hash, hex. */
  readonly destination: string;
  readonly kind: string;
  readonly ref: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/**
 * Prolongs the leases nobody took over, under the name by which their holder is to be seen alive now. Locked ones are
 * skipped, so that one long transaction does not cost them all.
 */
export async function renewLeases(
  db: Queryable,
  items: readonly LeasedItem[],
  { leaseSeconds, holder = null }: { leaseSeconds: number; holder?: string | null },
): Promise<void> {
  await db.query(
    `WITH held AS (
       SELECT head_id FROM outbox_lease JOIN unnest($1::bigint[], $2::bigint[]) AS ours (head_id, fence)
       USING (head_id, fence) FOR NO KEY UPDATE OF outbox_lease SKIP LOCKED
     ) UPDATE outbox_lease l SET until = now() + make_interval(secs => $3), holder = $4
     FROM held WHERE l.head_id = held.head_id`,
    [items.map(({ headId }) => headId), items.map(({ fence }) => fence), leaseSeconds, holder],
    'outbox_renew',
  );
}

/** Whether nobody has taken the item over so far: for a look at it, since somebody may right afterwards. */
export async function isHeld(db: Queryable, item: LeasedItem): Promise<boolean> {
  const sql = 'SELECT 1 FROM outbox_lease WHERE head_id = $1 AND fence = $2';
  return (await db.query(sql, [item.headId, item.fence], 'outbox_is_held')).length > 0;
}

/**
 * Locks the pair for the rest of the transaction, so that nobody can take it over before the commit. Called after the
 * caller's own statements: those who enqueue lock in that order too.
 * @throws LeaseLostError if the item was taken over or is settled
 */
export async function assertHeld(tx: Tx, item: LeasedItem): Promise<void> {
  const held = await tx.query(
    `SELECT 1 FROM outbox_head JOIN outbox_lease ON head_id = id WHERE id = $1 AND fence = $2
     FOR NO KEY UPDATE OF outbox_head, outbox_lease`,
    [item.headId, item.fence],
    'outbox_held',
  );
  if (held.length === 0) throw new LeaseLostError();
}

/** Removes a delivered item; the pair goes on with its next one, and its lane is well. @throws LeaseLostError */
export async function finishItem(tx: Tx, item: LeasedItem): Promise<void> {
  await assertHeld(tx, item);
  await removeItem(tx, item, { laneIsWell: true });
}

/**
 * Gives the pair back, due again after the delay or when the item expires, whichever is first.
 * @param lane key of another lane that turned out to be the pair's
 * @returns when it is due again
 * @throws LeaseLostError
 */
export async function postponeItem(
  tx: Tx,
  item: LeasedItem,
  { code, delaySeconds, lane }: { code: string; delaySeconds: number; lane?: Uint8Array | undefined },
): Promise<Date> {
  await assertHeld(tx, item);
  const [head] = await tx.query<{ nextAt: Date }>(
    `WITH tried AS (
       UPDATE outbox_item SET attempts = attempts + 1, last_code = $3 WHERE head_id = $1 AND seq = $2 RETURNING expires_at
     ), ${nextOfLane('$6')}, ${ended('$1')}
     UPDATE outbox_head SET next_at = least(now() + make_interval(secs => $4),
         CASE WHEN tried.expires_at > now() THEN tried.expires_at END),
       destination_key = coalesce($5, destination_key)
     FROM tried WHERE id = $1 RETURNING next_at AS "nextAt"`,
    [item.headId, item.seq, code, delaySeconds, lane ?? null, Buffer.from(item.destination, 'hex')],
    'outbox_postpone',
  );
  return head!.nextAt;
}

/**
 * Moves an item to the dead letters; the pair goes on with its next one.
 * @param laneIsWell its destination has answered, if only to refuse
 * @throws LeaseLostError
 */
export async function buryItem(
  tx: Tx,
  item: LeasedItem,
  { code, laneIsWell = false }: { code: string; laneIsWell?: boolean },
): Promise<void> {
  await assertHeld(tx, item);
  await tx.query(
    `INSERT INTO outbox_dead (ref, head_id, seq, kind, code, attempts, created_at, expires_at)
     SELECT ref, head_id, seq, kind, $3, attempts + 1, created_at, expires_at
     FROM outbox_item WHERE head_id = $1 AND seq = $2`,
    [item.headId, item.seq, code],
  );
  await removeItem(tx, item, { laneIsWell });
}

export async function hasExpired(tx: Tx, { headId, seq }: LeasedItem): Promise<boolean> {
  const expired = await tx.query('SELECT 1 FROM outbox_item WHERE head_id = $1 AND seq = $2 AND expires_at <= now()', [
    headId,
    seq,
  ]);
  return expired.length > 0;
}

const ended = (head: string) => `ended AS (DELETE FROM outbox_lease WHERE head_id = ${head})`;

/** A place in the lane is free: the pair that has waited for one the longest is let in. */
const nextOfLane = (destination: string) => `next AS (
       SELECT id FROM outbox_head WHERE parked AND destination_key = ${destination}
       ORDER BY next_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
     ), let_in AS (UPDATE outbox_head SET parked = false FROM next WHERE outbox_head.id = next.id)`;

/** Only with the head locked by an earlier statement: else it could miss an item that is being enqueued. */
async function removeItem(
  tx: Tx,
  { headId, seq, destination }: LeasedItem,
  { laneIsWell }: { laneIsWell: boolean },
): Promise<void> {
  await tx.query(
    `WITH gone AS (DELETE FROM outbox_item WHERE head_id = $1 AND seq = $2), ${ended('$1')}, ${nextOfLane('$3')},
     well AS (DELETE FROM outbox_lane WHERE destination_key = $3 AND paused_at IS NULL AND $4)
     UPDATE outbox_head SET idle_at = now(), next_at = CASE WHEN EXISTS (
       SELECT FROM outbox_item WHERE head_id = $1 AND seq <> $2
     ) THEN now() END WHERE id = $1`,
    [headId, seq, Buffer.from(destination, 'hex'), laneIsWell],
    'outbox_remove',
  );
}
