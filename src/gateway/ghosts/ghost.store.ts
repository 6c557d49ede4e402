import type { EthAddress, ForeignAddress, NetworkId } from '../../common/ids.js';
import { addressBytes } from '../../delivery/addresses.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';

const place = (address: EthAddress) => ({ table: 'ghost', column: 'sealed_foreign_address', row: address });

/** Table `ghost`: who stands behind an address, for names that say only the address, and hashed alias names. */
export class GhostStore {
  constructor(private readonly sealer: Sealer) {}

  /** Writes the row once; `used` also marks the ghost as in use, so that it is not purged. */
  async remember(
    db: Queryable,
    ghost: { address: EthAddress; network: NetworkId; name: string; foreign: ForeignAddress },
    { used }: { used: boolean },
  ): Promise<void> {
    const { address, network, name, foreign } = ghost;
    const sealed = this.sealer.seal(place(address), Buffer.from(foreign));
    const sql = `INSERT INTO ghost (address, network, name_key, sealed_foreign_address, used_at)
      VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN now() END)
      ON CONFLICT (address) DO UPDATE SET used_at = now()
      WHERE $5 AND (ghost.used_at IS NULL OR ghost.used_at < now() - interval '1 hour')`;
    await db.query(sql, [addressBytes(address), network, this.#nameKey(name), sealed, used], 'ghost-remember');
  }

  /** Whom it stands for. */
  async byAddress(db: Queryable, address: EthAddress): Promise<ForeignAddress | null> {
    const sql = 'SELECT address, sealed_foreign_address FROM ghost WHERE address = $1';
    return this.#open(await db.query<Row>(sql, [addressBytes(address)], 'ghost-by-address'));
  }

  /** For alias names that carry only a hash of the foreign address. */
  async byName(db: Queryable, name: string): Promise<ForeignAddress | null> {
    const sql = 'SELECT address, sealed_foreign_address FROM ghost WHERE name_key = $1';
    return this.#open(await db.query<Row>(sql, [this.#nameKey(name)]));
  }

  /** Forgets ghosts that were only looked up, never written to or by, for `days`. @returns how many, `limit` at most */
  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM ghost WHERE address IN (
      SELECT address FROM ghost WHERE used_at IS NULL AND created_at < now() - make_interval(days => $1)
      ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING network`;
    return (await db.query(sql, [days, limit])).length;
  }

  #nameKey(name: string): Buffer {
    return this.sealer.keyedHash('ghost name', name);
  }

  #open([row]: readonly Row[]): ForeignAddress | null {
    if (!row) return null;
    const address = `0x${row.address.toString('hex')}` as EthAddress;
    return Buffer.from(this.sealer.open(place(address), row.sealed_foreign_address)).toString() as ForeignAddress;
  }
}

interface Row {
  readonly address: Buffer;
  readonly sealed_foreign_address: Buffer;
}
