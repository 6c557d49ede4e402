import { createHash } from 'node:crypto';
import type { Queryable } from '../../storage/database.js';

export type AdminScope = 'read' | 'act';

/** Of the hash, in hex. */
const ID_DIGITS = 12;

const hashOf = (token: string) => createHash('sha256').update(token).digest();

/** Table `admin_token`: hashes of random 32-byte tokens, which need no salt. */
export const adminTokenStore = {
  async add(db: Queryable, token: string, scopes: readonly AdminScope[]): Promise<void> {
    const sql = 'INSERT INTO admin_token (token_hash, scopes) VALUES ($1, $2) ON CONFLICT DO NOTHING';
    await db.query(sql, [hashOf(token), [...scopes]]);
  },

  async scopesOf(db: Queryable, token: string): Promise<readonly AdminScope[]> {
    const sql = 'SELECT scopes FROM admin_token WHERE token_hash = $1';
    const [row] = await db.query<{ scopes: AdminScope[] }>(sql, [hashOf(token)]);
    return row?.scopes ?? [];
  },

  /** Oldest first; `id` is what a person can tell them apart by. */
  async list(db: Queryable): Promise<{ id: string; scopes: AdminScope[]; createdAt: Date }[]> {
    return db.query(
      `SELECT substr(encode(token_hash, 'hex'), 1, ${ID_DIGITS}) AS id, scopes, created_at AS "createdAt"
       FROM admin_token ORDER BY created_at`,
    );
  },

  /** @param id as `list` shows it @returns false if there is none */
  async remove(db: Queryable, id: string): Promise<boolean> {
    const sql = `DELETE FROM admin_token WHERE substr(encode(token_hash, 'hex'), 1, ${ID_DIGITS}) = $1 RETURNING 1`;
    return (await db.query(sql, [id])).length > 0;
  },
};
