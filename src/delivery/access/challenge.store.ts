import type { Queryable } from '../../storage/database.js';

/** Table `login_challenge`: keyed hashes of challenges that were given out and not used yet. */
export const challengeStore = {
  async add(db: Queryable, key: Uint8Array, validSeconds: number): Promise<void> {
    const sql =
      'INSERT INTO login_challenge (challenge_key, expires_at) VALUES ($1, now() + make_interval(secs => $2))';
    await db.query(sql, [key, validSeconds]);
  },

  /** True once: whoever takes a challenge uses it up. */
  async take(db: Queryable, key: Uint8Array): Promise<boolean> {
    const sql = 'DELETE FROM login_challenge WHERE challenge_key = $1 RETURNING expires_at > now() AS valid';
    const [row] = await db.query<{ valid: boolean }>(sql, [key]);
    return row?.valid ?? false;
  },

  async purge(db: Queryable): Promise<void> {
    await db.query('DELETE FROM login_challenge WHERE expires_at < now()');
  },
};
