import type { EnsName } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';

/** The account of a dm3 name on the homeserver, as we left it. */
export interface GhostAccount {
  readonly userId: string;
  readonly name: EnsName;
  readonly displayName: string;
  /** The ENS record its picture came from; null where it has none. */
  readonly avatar: string | null;
  /** When the record was last looked at, milliseconds since the epoch. */
  readonly checkedAt: number;
}

const place = (key: Buffer) => ({ table: 'matrix_ghost', column: 'sealed_ghost', row: key.toString('hex') });

/** Table `matrix_ghost`: accounts that are made already, and the names of those whose ids are hashes. */
export class GhostAccountStore {
  constructor(private readonly sealer: Sealer) {}

  async find(db: Queryable, userId: string): Promise<GhostAccount | null> {
    const key = this.#key(userId);
    const sql = 'SELECT sealed_ghost FROM matrix_ghost WHERE user_key = $1';
    const [row] = await db.query<{ sealed_ghost: Buffer }>(sql, [key], 'matrix-ghost-find');
    return row ? this.sealer.openJson<GhostAccount>(place(key), row.sealed_ghost) : null;
  }

  async put(db: Queryable, account: GhostAccount): Promise<void> {
    const key = this.#key(account.userId);
    const sql = `INSERT INTO matrix_ghost (user_key, sealed_ghost) VALUES ($1, $2)
      ON CONFLICT (user_key) DO UPDATE SET sealed_ghost = excluded.sealed_ghost`;
    await db.query(sql, [key, this.sealer.sealJson(place(key), account)]);
  }

  #key(userId: string): Buffer {
    return this.sealer.keyedHash('matrix ghost', userId);
  }
}
