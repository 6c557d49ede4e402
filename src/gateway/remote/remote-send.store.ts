import type { Queryable } from '../../storage/database.js';

/** `taken`: the network has it. `under-way`: somebody is handing it over just now. `late`: nobody waits for it. */
export type SendTurn = 'begun' | 'taken' | 'under-way' | 'late';

export interface Send {
  /** Keyed hash of what is sent. */
  readonly key: Uint8Array;
  /** UUID of the attempt. */
  readonly holder: string;
}

/**
 * Table `remote_send`: a row with a lease while a message is handed to its network, which stays once the network has
 * taken it, so that a repeated request is answered from here. All times are the database's.
 */
export const remoteSendStore = {
  /**
   * Takes the turn to hand it over, unless somebody else has it or had it with success.
   * @param until after it nobody waits for the outcome; null: somebody does
   */
  async begin(
    db: Queryable,
    { key, holder }: Send,
    { leaseSeconds, until }: { leaseSeconds: number; until: string | null },
  ): Promise<SendTurn> {
    const begun = await db.query(
      `INSERT INTO remote_send (send_key, holder, leased_until)
       SELECT $1, $2, now() + make_interval(secs => $3) WHERE $4::timestamptz IS NULL OR now() < $4::timestamptz
       ON CONFLICT (send_key) DO UPDATE SET holder = excluded.holder, leased_until = excluded.leased_until
         WHERE remote_send.taken_at IS NULL AND remote_send.leased_until <= now()
       RETURNING 1`,
      [key, holder, leaseSeconds, until],
    );
    if (begun.length > 0) return 'begun';
    const [row] = await db.query<{ taken: boolean }>(
      'SELECT taken_at IS NOT NULL AS taken FROM remote_send WHERE send_key = $1',
      [key],
    );
    if (row?.taken) return 'taken';
    return row ? 'under-way' : 'late';
  },

  /** The turn goes on; nothing if somebody else has it by now. */
  async renew(db: Queryable, { key, holder }: Send, leaseSeconds: number): Promise<void> {
    await db.query(
      `UPDATE remote_send SET leased_until = now() + make_interval(secs => $3)
       WHERE send_key = $1 AND holder = $2 AND taken_at IS NULL`,
      [key, holder, leaseSeconds],
    );
  },

  /** The network has it, whoever else may have begun meanwhile. */
  async taken(db: Queryable, { key }: Send): Promise<void> {
    await db.query('UPDATE remote_send SET taken_at = now() WHERE send_key = $1 AND taken_at IS NULL', [key]);
  },

  /** It failed: whoever asks again begins anew. */
  async giveUp(db: Queryable, { key, holder }: Send): Promise<void> {
    await db.query('DELETE FROM remote_send WHERE send_key = $1 AND holder = $2 AND taken_at IS NULL', [key, holder]);
  },

  /** Deletes what is older than that. @returns how many, `limit` at most */
  async purge(db: Queryable, ageSeconds: number, limit: number): Promise<number> {
    const gone = await db.query(
      `DELETE FROM remote_send WHERE send_key IN (
         SELECT send_key FROM remote_send WHERE coalesce(taken_at, leased_until) < now() - make_interval(secs => $1)
         LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1`,
      [ageSeconds, limit],
    );
    return gone.length;
  },

  /** The database's time in so many seconds, as `begin` takes it. */
  async deadline(db: Queryable, seconds: number): Promise<string> {
    const [row] = await db.query<{ at: string }>('SELECT (now() + make_interval(secs => $1))::text AS at', [seconds]);
    return row!.at;
  },

  /** Whether somebody still waits for what is due until then. */
  async isAwaited(db: Queryable, until: string): Promise<boolean> {
    const [row] = await db.query<{ awaited: boolean }>('SELECT now() < $1::timestamptz AS awaited', [until]);
    return row!.awaited;
  },
};
