import type { Queryable } from '../../storage/database.js';

/** An event that could not be handled: it holds up its room, or was given up. */
export interface TroubledEvent {
  readonly id: string;
  /** Whether it is still tried by itself. */
  readonly state: 'waiting' | 'failed';
  /** Tells rooms apart; nobody can tell from it which room it is. */
  readonly room: string;
  readonly code: string;
  readonly attempts: number;
  readonly receivedAt: Date;
  /** Null once it was given up. */
  readonly nextAt: Date | null;
  readonly failedAt: Date | null;
  /** Whether there is something left to try again. */
  readonly isKept: boolean;
}

/** Of the key, in hex. */
const ROOM_DIGITS = 12;

/** Those that wait after a failure, then those given up, newest first, `limit` of each. What they say is not looked at. */
export async function troubledEvents(db: Queryable, limit = 100): Promise<TroubledEvent[]> {
  return [...(await inState(db, 'waiting', limit)), ...(await inState(db, 'failed', limit))];
}

function inState(db: Queryable, state: TroubledEvent['state'], limit: number): Promise<TroubledEvent[]> {
  const sql = `SELECT id, state, substr(encode(room_key, 'hex'), 1, ${ROOM_DIGITS}) AS room, code, attempts,
      received_at AS "receivedAt", CASE state WHEN 'waiting' THEN next_at END AS "nextAt", settled_at AS "failedAt",
      sealed_event IS NOT NULL AS "isKept"
    FROM matrix_inbox WHERE state = $1 AND code IS NOT NULL ORDER BY coalesce(settled_at, received_at) DESC LIMIT $2`;
  return db.query<{ [Field in keyof TroubledEvent]: TroubledEvent[Field] }>(sql, [state, limit]);
}

/**
 * Puts events that were given up back to their old places, due now and with their whole time again; those that wait for
 * their next attempt are tried now. The process that handles them sees it within a second.
 * @param id null for all
 * @returns how many
 */
export async function retryEvents(db: Queryable, id: string | null): Promise<number> {
  const sql = `UPDATE matrix_inbox SET state = 'waiting', next_at = now(), settled_at = NULL,
      received_at = CASE state WHEN 'failed' THEN now() ELSE received_at END,
      attempts = CASE state WHEN 'failed' THEN 0 ELSE attempts END,
      lease_until = CASE state WHEN 'failed' THEN '-infinity' ELSE lease_until END
    WHERE (id = $1 OR $1::uuid IS NULL) AND code IS NOT NULL AND sealed_event IS NOT NULL AND state IN ('waiting', 'failed')
    RETURNING 1`;
  return (await db.query(sql, [id])).length;
}
