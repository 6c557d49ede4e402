import type { EnsName } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';

interface Row {
  readonly challenge_key: Buffer;
  readonly sealed_challenge: Buffer;
}

const place = (key: Buffer) => ({ table: 'login_challenge', column: 'sealed_challenge', row: key.toString('hex') });

/** Table `login_challenge`: challenges that were given out and not used yet, each bound to a name. */
export class ChallengeStore {
  constructor(private readonly sealer: Sealer) {}

  async add(db: Queryable, name: EnsName, challenge: string, validSeconds: number): Promise<void> {
    const key = this.#key(name, challenge);
    const sql = `INSERT INTO login_challenge (challenge_key, name_key, sealed_challenge, expires_at)
      VALUES ($1, $2, $3, now() + make_interval(secs => $4))`;
    const sealed = this.sealer.seal(place(key), Buffer.from(challenge));
    await db.query(sql, [key, this.#nameKey(name), sealed, validSeconds]);
  }

  /** Of those that were given out for a name and are still good, the last `limit`, newest first. */
  async latest(db: Queryable, name: EnsName, limit: number): Promise<string[]> {
    const sql = `SELECT challenge_key, sealed_challenge FROM login_challenge
      WHERE name_key = $1 AND expires_at > now() ORDER BY issued DESC LIMIT $2`;
    const rows = await db.query<Row>(sql, [this.#nameKey(name), limit]);
    return rows.map((row) => Buffer.from(this.sealer.open(place(row.challenge_key), row.sealed_challenge)).toString());
  }

  /** True once: whoever takes a challenge uses it up. */
  async take(db: Queryable, name: EnsName, challenge: string): Promise<boolean> {
    const sql = 'DELETE FROM login_challenge WHERE challenge_key = $1 RETURNING expires_at > now() AS valid';
    const [row] = await db.query<{ valid: boolean }>(sql, [this.#key(name, challenge)]);
    return row?.valid ?? false;
  }

  /** Deletes at most `limit` expired ones, and returns how many. */
  async purge(db: Queryable, limit: number): Promise<number> {
    const sql = `DELETE FROM login_challenge WHERE challenge_key IN (
      SELECT challenge_key FROM login_challenge WHERE expires_at < now() ORDER BY expires_at LIMIT $1
      FOR UPDATE SKIP LOCKED) RETURNING 1`;
    return (await db.query(sql, [limit])).length;
  }

  #key(name: EnsName, challenge: string): Buffer {
    return this.sealer.keyedHash('login challenge', name, challenge);
  }

  #nameKey(name: EnsName): Buffer {
    return this.sealer.keyedHash('login challenge of', name);
  }
}
