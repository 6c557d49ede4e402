import type { Queryable } from '../database.js';

/** Table `rate_window`: how often each subject did something in its latest window, over all processes. */
export const rateWindowStore = {
  /**
   * Adds to a subject's count and returns the sum. A new window begins at zero; a process whose clock is behind adds
   * to the window that has begun already.
   * @param windowAt milliseconds since the epoch
   */
  async add(db: Queryable, key: Uint8Array, windowAt: number, count: number): Promise<number> {
    const sql = `INSERT INTO rate_window (subject_key, window_at, used) VALUES ($1, $2, $3)
      ON CONFLICT (subject_key) DO UPDATE SET
        used = CASE WHEN rate_window.window_at < excluded.window_at THEN 0 ELSE rate_window.used END + excluded.used,
        window_at = greatest(rate_window.window_at, excluded.window_at)
      RETURNING used`;
    const [row] = await db.query<{ used: number }>(sql, [key, new Date(windowAt), count], 'rate-window-add');
    return row!.used;
  },

  /** Deletes at most `limit` windows that ended hours ago, and returns how many. */
  async purge(db: Queryable, limit: number): Promise<number> {
    const sql = `DELETE FROM rate_window WHERE subject_key IN (
      SELECT subject_key FROM rate_window WHERE window_at < now() - interval '1 day' ORDER BY window_at LIMIT $1
      FOR UPDATE SKIP LOCKED) RETURNING 1`;
    return (await db.query(sql, [limit])).length;
  },
};
