import type { Database, Tx } from '../storage/database.js';
import { laneSlots, type LaneCaps } from './lanes.js';
import type { LeasedItem } from './leases.js';

type Lease = Pick<LeasedItem, 'headId' | 'fence' | 'network' | 'destination'>;

export interface ClaimOptions {
  readonly limit: number;
  readonly leaseSeconds: number;
  /** How many pairs of one destination all workers together hold at most. */
  readonly caps: LaneCaps;
  /** Heads this worker still works on, even if its leases ran out. */
  readonly held: readonly string[];
  /** Who is to be seen alive while it holds them; null if nobody could tell: only their time frees them then. */
  readonly holder?: string | null;
  /** The claim before this one met destinations without a free place: this one looks at more. */
  readonly isCrowded?: boolean;
}

export interface Claimed {
  readonly items: readonly LeasedItem[];
  /** Some of what was looked at found no place. */
  readonly isCrowded: boolean;
  /** False if nothing is due beyond what was looked at. */
  readonly more: boolean;
}

/** Bulk mail counts as due so much later than it is: it waits while there is something for people, but not for ever. */
const BULK_SECONDS = 300;
/**
 * Candidates for each free place. Each one costs a lock, and most find a place; where some do not, since theirs has none
 * left, they are parked, and it pays to look at more.
 */
const PER_PLACE = { usual: 1, crowded: 4 };

interface Candidate {
  readonly id: string;
  /** Hex. */
  readonly destination: string;
  readonly network: string;
}

/**
 * Leases up to `limit` pairs that are due, people's before bulk, longest due first. No destination ever has more places
 * than its cap, however many workers there are: whoever claims holds the lock of each lane it looks at. What finds no
 * place is parked, so that the next claim need not look at it again; whoever frees a place lets the next one in.
 */
export async function claimDue(db: Database, options: ClaimOptions): Promise<Claimed> {
  return db.transaction(async (tx) => {
    const wanted = options.limit * (options.isCrowded ? PER_PLACE.crowded : PER_PLACE.usual);
    const candidates = await lockCandidates(tx, db.schema, options, wanted);
    if (candidates.length === 0) return { items: [], isCrowded: false, more: false };
    const items = await lease(tx, candidates, options);
    const isCrowded = items.length < Math.min(options.limit, candidates.length);
    return { items: inOrderOf(candidates, items), isCrowded, more: candidates.length === wanted };
  });
}

function inOrderOf(candidates: readonly Candidate[], items: readonly LeasedItem[]): LeasedItem[] {
  const places = new Map(candidates.map(({ id }, place) => [id, place]));
  return [...items].sort((a, b) => places.get(a.headId)! - places.get(b.headId)!);
}

/** One pair after the other is asked whether it is leased: those at the front mostly are. */
const due = (priority: number) => `SELECT id, destination_key, network, priority, next_at FROM outbox_head h
  WHERE priority = ${priority} AND next_at IS NOT NULL AND NOT parked AND next_at <= now()
    AND NOT EXISTS (SELECT FROM outbox_lease WHERE head_id = h.id AND until > now() OFFSET 0) AND id <> ALL ($2::bigint[])
  ORDER BY next_at LIMIT $1 FOR NO KEY UPDATE OF h SKIP LOCKED`;

/**
 * Their heads, skipping those that others hold, and then their lanes: in one order for all, so that two claims can wait
 * for each other's lanes, but never in a ring.
 */
async function lockCandidates(tx: Tx, schema: string, { held }: ClaimOptions, wanted: number): Promise<Candidate[]> {
  return tx.query<{ [Field in keyof Candidate]: string }>(
    `WITH people AS (${due(0)}), bulk AS (${due(1)}), candidate AS MATERIALIZED (
       SELECT id, encode(destination_key, 'hex') AS destination, network,
         next_at + make_interval(secs => priority * ${BULK_SECONDS}) AS counts_from
       FROM (SELECT * FROM people UNION ALL SELECT * FROM bulk) each ORDER BY counts_from LIMIT $1
     ), locked AS MATERIALIZED (
       SELECT pg_advisory_xact_lock(lane) FROM (
         SELECT DISTINCT hashtextextended($3 || destination, 0) AS lane FROM candidate ORDER BY 1 OFFSET 0) lanes
     ) SELECT id, destination, network FROM candidate CROSS JOIN (SELECT count(*) FROM locked) all_locked
     ORDER BY counts_from`,
    [wanted, held, `${schema}/lane/`],
    'outbox_candidates',
  );
}

/**
 * A statement of its own: it has to see what the claim before it has committed, also whom that one has leased and which
 * items it removed; nobody removes any while the heads are locked. A lapsed lease keeps its place.
 */
async function lease(tx: Tx, candidates: readonly Candidate[], options: ClaimOptions): Promise<LeasedItem[]> {
  const { limit, leaseSeconds, caps, holder = null } = options;
  return tx.query<{ [Field in keyof LeasedItem]: LeasedItem[Field] }>(
    `WITH candidate AS (
       SELECT id, decode(destination, 'hex') AS destination_key, network, place
       FROM unnest($1::bigint[], $2::text[], $3::text[]) WITH ORDINALITY AS c (id, destination, network, place)
       WHERE NOT EXISTS (SELECT FROM outbox_lease WHERE head_id = c.id AND until > now())
     ), free AS (
       SELECT d.destination_key, ${laneSlots('d.network', '$4', '$5')} - (
         SELECT count(*) FROM outbox_lease l WHERE l.destination_key = d.destination_key
           AND l.head_id NOT IN (SELECT id FROM candidate)) AS places
       FROM (SELECT DISTINCT ON (destination_key) destination_key, network FROM candidate) d
       LEFT JOIN outbox_lane lane ON lane.destination_key = d.destination_key
     ), ranked AS (
       SELECT c.*, row_number() OVER (PARTITION BY c.destination_key ORDER BY c.place) <= places AS fits
       FROM candidate c JOIN free USING (destination_key)
     ), parked AS (
       UPDATE outbox_head h SET parked = true FROM ranked WHERE h.id = ranked.id AND NOT ranked.fits
     ), lapsed AS (
       DELETE FROM outbox_lease l USING ranked WHERE l.head_id = ranked.id AND NOT ranked.fits
     ), chosen AS (
       SELECT id, network, destination_key FROM ranked WHERE fits ORDER BY place LIMIT $6
     ), ${leased('$7', '$8')}, lease AS (${LEASES}) SELECT lease.*, item.* FROM lease CROSS JOIN LATERAL (${FIRST_ITEM}) item`,
    [
      candidates.map(({ id }) => id),
      candidates.map(({ destination }) => destination),
      candidates.map(({ network }) => network),
      JSON.stringify(caps.byNetwork),
      caps.others,
      limit,
      leaseSeconds,
      holder,
    ],
    'outbox_lease',
  );
}

/** SQL that leases what is `chosen`: the number of a lease is never used again. */
const leased = (seconds: string, holder: string) => `leased AS (
       INSERT INTO outbox_lease (head_id, destination_key, until, holder)
       SELECT id, destination_key, now() + make_interval(secs => ${seconds}), ${holder}::uuid FROM chosen
       ON CONFLICT (head_id) DO UPDATE SET destination_key = excluded.destination_key, fence = excluded.fence,
         until = excluded.until, holder = excluded.holder
       RETURNING head_id, fence
     )`;
const LEASES = `SELECT head_id AS "headId", fence, network, encode(destination_key, 'hex') AS destination
       FROM leased JOIN chosen ON id = head_id`;
/** Of `lease`. */
const FIRST_ITEM = `SELECT seq, kind, ref, attempts + 1 AS attempt, created_at AS "createdAt", expires_at AS "expiresAt"
       FROM outbox_item WHERE head_id = lease."headId" ORDER BY seq LIMIT 1`;

/** A statement of its own: that of the claim could still see an item which the pair's last holder just removed. */
async function firstItems(tx: Tx, leases: readonly Lease[]): Promise<LeasedItem[]> {
  return tx.query<{ [Field in keyof LeasedItem]: LeasedItem[Field] }>(
    `SELECT lease.*, item.*
     FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS lease ("headId", fence, network, destination)
     CROSS JOIN LATERAL (${FIRST_ITEM}) item`,
    [
      leases.map(({ headId }) => headId),
      leases.map(({ fence }) => fence),
      leases.map(({ network }) => network),
      leases.map(({ destination }) => destination),
    ],
    'outbox_first_items',
  );
}

/** Leases pairs whose next message outlived its time while parked, whatever their lane: their authors wait for word. */
export async function claimExpired(
  db: Database,
  { limit, leaseSeconds, holder = null }: Pick<ClaimOptions, 'limit' | 'leaseSeconds' | 'holder'>,
): Promise<readonly LeasedItem[]> {
  return db.transaction(async (tx) => {
    const leases = await tx.query<{ [Field in keyof Lease]: Lease[Field] }>(
      `WITH chosen AS MATERIALIZED (
         SELECT h.id, h.network, h.destination_key FROM outbox_head h CROSS JOIN LATERAL (
           SELECT expires_at FROM outbox_item WHERE head_id = h.id ORDER BY seq LIMIT 1) item
         WHERE h.parked AND item.expires_at <= now() LIMIT $2 FOR NO KEY UPDATE OF h SKIP LOCKED
       ), let_in AS (
         UPDATE outbox_head h SET parked = false FROM chosen WHERE h.id = chosen.id
       ), ${leased('$1', '$3')} ${LEASES}`,
      [leaseSeconds, limit, holder],
    );
    return leases.length > 0 ? firstItems(tx, leases) : [];
  });
}
