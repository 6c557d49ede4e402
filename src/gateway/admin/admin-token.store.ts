import { createHash } from 'node:crypto';
import type { Queryable } from '../../storage/database.js';

export type AdminScope = 'read' | 'act';

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
};
