import type { Queryable, Tx } from '../storage/database.js';

const DAY = 86_400;

/** How long anybody, we or another service, tries to deliver. */
export const LONGEST_RETRY_SECONDS = 7 * DAY;

/** How long a repeat is recognised. */
export const SEEN_SECONDS = LONGEST_RETRY_SECONDS + 30 * DAY;

/** `ref` is that of whoever came first. */
export type SeenBefore = { readonly first: true } | { readonly first: false; readonly ref: string };

const REMEMBER = `INSERT INTO seen (key, ref, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))
  ON CONFLICT (key) DO UPDATE SET ref = excluded.ref, expires_at = excluded.expires_at WHERE seen.expires_at <= now()
  RETURNING key`;

/**
 * \`insert\` in one statement with the recording of a key, which is its transaction, too: nothing is inserted if the key
 * is recorded already. The key, what it refers to and its time in seconds are $1 to $3; \`insert\` selects from \`first\`.
 */
export const insertOnce = (insert: string): string => `WITH first AS (${REMEMBER}) ${insert}`;

/**
 * Records a key, unless it is recorded already and has not expired. With the same key in two open transactions the
 * second waits until the first ends: it sees what the first committed, or is the first itself after a rollback.
 */
export async function rememberOnce(tx: Tx, key: Uint8Array, ref: string, ttlSeconds: number): Promise<SeenBefore> {
  const [recorded] = await tx.query(REMEMBER, [key, ref, ttlSeconds], 'seen_remember');
  if (recorded) return { first: true };
  // The conflict has locked the row, so it is still there; a new statement sees it even if it was committed just now.
  const [earlier] = await tx.query<{ ref: string }>('SELECT ref FROM seen WHERE key = $1', [key], 'seen_ref');
  return { first: false, ref: earlier!.ref };
}

/** True if a key is recorded and has not expired. */
export async function isRemembered(db: Queryable, key: Uint8Array): Promise<boolean> {
  const rows = await db.query('SELECT 1 FROM seen WHERE key = $1 AND expires_at > now()', [key], 'seen_is');
  return rows.length > 0;
}

/** Deletes up to `limit` expired keys, oldest first, and returns how many. */
export async function purgeSeen(db: Queryable, limit: number): Promise<number> {
  const gone = await db.query(
    `DELETE FROM seen WHERE key IN (
       SELECT key FROM seen WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
     ) RETURNING 1`,
    [limit],
  );
  return gone.length;
}
