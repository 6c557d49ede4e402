import type { Database, Queryable, Tx } from '../storage/database.js';
import { LeaseLostError } from './errors.js';

/**
 * The first item of a pair, held by one worker. The lease keeps others away while it lasts; the fence, counted up by
 * each claim, tells a worker whose lease ran out from the one that took over. All times are the database's.
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

type Lease = Pick<LeasedItem, 'headId' | 'fence' | 'network' | 'destination'>;

export interface ClaimOptions {
  readonly limit: number;
  readonly leaseSeconds: number;
  /** How many pairs of one destination this worker holds at most. */
  readonly perDestination: number;
  /** What this worker still works on, even if its leases ran out. */
  readonly held: readonly LeasedItem[];
}

/** Candidates that are looked at for each free slot: some may be too many for their destination. */
const CANDIDATES_PER_SLOT = 4;

/**
 * Leases up to `limit` pairs that are due, longest due first. No destination gets more than its share of the worker, so
 * that one which hangs leaves room for the others.
 */
export async function claimDue(db: Database, options: ClaimOptions): Promise<LeasedItem[]> {
  return db.transaction(async (tx) => {
    const leases = await leaseHeads(tx, options);
    return leases.length > 0 ? firstItems(tx, leases) : [];
  });
}

async function leaseHeads(tx: Tx, { limit, leaseSeconds, perDestination, held }: ClaimOptions): Promise<Lease[]> {
  const load = new Map<string, number>();
  for (const { destination } of held) load.set(destination, (load.get(destination) ?? 0) + 1);
  const full = [...load].filter(([, count]) => count >= perDestination).map(([destination]) => destination);
  return tx.query<{ [Field in keyof Lease]: Lease[Field] }>(
    `WITH candidate AS (
       SELECT id, destination_key, next_at FROM outbox_head
       WHERE next_at <= now() AND (lease_until IS NULL OR lease_until <= now()) AND id <> ALL ($3::bigint[])
         AND destination_key <> ALL (SELECT decode(unnest($4::text[]), 'hex'))
       ORDER BY next_at LIMIT $1 * ${CANDIDATES_PER_SLOT} FOR NO KEY UPDATE SKIP LOCKED
     ), ranked AS (
       SELECT id, next_at, row_number() OVER (PARTITION BY destination_key ORDER BY next_at) AS place,
         coalesce((SELECT count FROM unnest($5::text[], $6::int[]) AS load (destination, count)
                   WHERE decode(destination, 'hex') = destination_key), 0) AS held
       FROM candidate
     ), due AS (SELECT id FROM ranked WHERE place + held <= $7 ORDER BY next_at LIMIT $1)
     UPDATE outbox_head h SET lease_until = now() + make_interval(secs => $2), fence = h.fence + 1
     FROM due WHERE h.id = due.id
     RETURNING h.id AS "headId", h.fence, h.network, encode(h.destination_key, 'hex') AS destination`,
    [limit, leaseSeconds, held.map(({ headId }) => headId), full, [...load.keys()], [...load.values()], perDestination],
    'outbox_lease',
  );
}

/** A statement of its own: that of the claim could still see an item which the pair's last holder just removed. */
async function firstItems(tx: Tx, leases: readonly Lease[]): Promise<LeasedItem[]> {
  return tx.query<{ [Field in keyof LeasedItem]: LeasedItem[Field] }>(
    `SELECT lease.*, item.*
     FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS lease ("headId", fence, network, destination)
     CROSS JOIN LATERAL (
       SELECT seq, kind, ref, attempts + 1 AS attempt, created_at AS "createdAt", expires_at AS "expiresAt"
       FROM outbox_item WHERE head_id = lease."headId" ORDER BY seq LIMIT 1
     ) item`,
    [
      leases.map(({ headId }) => headId),
      leases.map(({ fence }) => fence),
      leases.map(({ network }) => network),
      leases.map(({ destination }) => destination),
    ],
    'outbox_first_items',
  );
}

/** Prolongs the leases nobody took over. Locked ones are skipped, so that one long transaction does not cost them all. */
export async function renewLeases(db: Queryable, items: readonly LeasedItem[], leaseSeconds: number): Promise<void> {
  await db.query(
    `WITH held AS (
       SELECT h.id FROM outbox_head h JOIN unnest($1::bigint[], $2::bigint[]) AS lease (id, fence)
       ON h.id = lease.id AND h.fence = lease.fence AND h.lease_until IS NOT NULL
       FOR NO KEY UPDATE OF h SKIP LOCKED
     ) UPDATE outbox_head h SET lease_until = now() + make_interval(secs => $3) FROM held WHERE h.id = held.id`,
    [items.map(({ headId }) => headId), items.map(({ fence }) => fence), leaseSeconds],
    'outbox_renew',
  );
}

/**
 * Locks the pair for the rest of the transaction, so that nobody can take it over before the commit. Called after the
 * caller's own statements: those who enqueue lock in that order too.
 * @throws LeaseLostError if the item was taken over or is settled
 */
export async function assertHeld(tx: Tx, item: LeasedItem): Promise<void> {
  const held = await tx.query(
    'SELECT 1 FROM outbox_head WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL FOR NO KEY UPDATE',
    [item.headId, item.fence],
    'outbox_held',
  );
  if (held.length === 0) throw new LeaseLostError();
}

/** Removes a delivered item; the pair goes on with its next one. @throws LeaseLostError */
export async function finishItem(tx: Tx, item: LeasedItem): Promise<void> {
  await assertHeld(tx, item);
  await removeItem(tx, item);
}

/** Gives the pair back, due again after the delay or when the item expires, whichever is first. @throws LeaseLostError */
export async function postponeItem(tx: Tx, item: LeasedItem, code: string, delaySeconds: number): Promise<void> {
  await assertHeld(tx, item);
  await tx.query(
    `WITH tried AS (
       UPDATE outbox_item SET attempts = attempts + 1, last_code = $3 WHERE head_id = $1 AND seq = $2 RETURNING expires_at
     ) UPDATE outbox_head SET lease_until = NULL, next_at = least(now() + make_interval(secs => $4),
         CASE WHEN tried.expires_at > now() THEN tried.expires_at END) FROM tried WHERE id = $1`,
    [item.headId, item.seq, code, delaySeconds],
  );
}

/** Moves an item to the dead letters; the pair goes on with its next one. @throws LeaseLostError */
export async function buryItem(tx: Tx, item: LeasedItem, code: string): Promise<void> {
  await assertHeld(tx, item);
  await tx.query(
    `INSERT INTO outbox_dead (ref, head_id, seq, kind, code, attempts, created_at, expires_at)
     SELECT ref, head_id, seq, kind, $3, attempts + 1, created_at, expires_at
     FROM outbox_item WHERE head_id = $1 AND seq = $2`,
    [item.headId, item.seq, code],
  );
  await removeItem(tx, item);
}

export async function hasExpired(tx: Tx, { headId, seq }: LeasedItem): Promise<boolean> {
  const expired = await tx.query('SELECT 1 FROM outbox_item WHERE head_id = $1 AND seq = $2 AND expires_at <= now()', [
    headId,
    seq,
  ]);
  return expired.length > 0;
}

/** Only with the head locked by an earlier statement: else it could miss an item that is being enqueued. */
async function removeItem(tx: Tx, { headId, seq }: LeasedItem): Promise<void> {
  await tx.query(
    `WITH gone AS (DELETE FROM outbox_item WHERE head_id = $1 AND seq = $2)
     UPDATE outbox_head SET lease_until = NULL, next_at = CASE WHEN EXISTS (
       SELECT FROM outbox_item WHERE head_id = $1 AND seq <> $2
     ) THEN now() END WHERE id = $1`,
    [headId, seq],
    'outbox_remove',
  );
}
