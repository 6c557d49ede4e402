import type { Queryable } from '../../storage/database.js';

export interface Counts {
  readonly messages: number;
  readonly bytes: number;
  readonly notifications: number;
}

/** What came in within one interval. */
export interface IntervalCounts extends Counts {
  /** Seconds since the epoch. */
  readonly start: number;
}

/** Table `traffic`: sums over all processes, one row an interval in which anything came. */
export const trafficStore = {
  async add(db: Queryable, intervals: readonly IntervalCounts[]): Promise<void> {
    const sql = `INSERT INTO traffic (interval_start, messages, bytes, notifications)
      SELECT to_timestamp(start), messages, bytes, notifications
      FROM unnest($1::float8[], $2::bigint[], $3::bigint[], $4::bigint[]) AS counted (start, messages, bytes, notifications)
      ORDER BY start
      ON CONFLICT (interval_start) DO UPDATE SET
        messages = traffic.messages + excluded.messages,
        bytes = traffic.bytes + excluded.bytes,
        notifications = traffic.notifications + excluded.notifications`;
    const column = (name: keyof IntervalCounts) => intervals.map((interval) => interval[name]);
    const columns = [column('start'), column('messages'), column('bytes'), column('notifications')];
    await db.query(sql, columns, 'traffic-add');
  },

  /** Intervals that began between the two times (seconds since the epoch, inclusive), oldest first. */
  async between(db: Queryable, from: number, to: number): Promise<IntervalCounts[]> {
    const sql = `SELECT extract(epoch FROM interval_start)::float8 AS start, messages::float8, bytes::float8,
        notifications::float8
      FROM traffic WHERE interval_start BETWEEN to_timestamp($1) AND to_timestamp($2) ORDER BY interval_start`;
    return db.query<IntervalCounts>(sql, [from, to], 'traffic-between');
  },

  /** Deletes at most `limit` intervals that began longer ago than `seconds`, and returns how many. */
  async purge(db: Queryable, seconds: number, limit: number): Promise<number> {
    const sql = `DELETE FROM traffic WHERE interval_start IN (
      SELECT interval_start FROM traffic WHERE interval_start < now() - make_interval(secs => $1)
      ORDER BY interval_start LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1`;
    return (await db.query(sql, [seconds, limit])).length;
  },
};
