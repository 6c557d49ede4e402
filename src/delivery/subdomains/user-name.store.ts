import type { EthAddress } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import { addressBytes, addressFromBytes } from '../addresses.js';
import { skeletonOf } from './user-label.js';

/** Who stands in the way of a claim. */
export interface Conflict {
  readonly label: string;
  readonly address: EthAddress;
}

interface Row {
  readonly label: string;
  readonly address: Buffer;
}

const conflictOf = ({ label, address }: Row): Conflict => ({ label, address: addressFromBytes(address) });

/** Table `user_name`: one label an address, and no two labels that look alike. */
export const userNameStore = {
  /** Of several who claim at once, one gets it. False if the label, one like it, or the address is taken. */
  async claim(db: Queryable, label: string, address: EthAddress): Promise<boolean> {
    const sql = `INSERT INTO user_name (label, skeleton, address) VALUES ($1, $2, $3)
      ON CONFLICT DO NOTHING RETURNING 1`;
    return (await db.query(sql, [label, skeletonOf(label), addressBytes(address)])).length > 0;
  },

  /** What the address has already, or who has the label or one like it. */
  async conflicts(db: Queryable, label: string, address: EthAddress): Promise<Conflict[]> {
    const sql = 'SELECT label, address FROM user_name WHERE skeleton = $1 OR address = $2';
    return (await db.query<Row>(sql, [skeletonOf(label), addressBytes(address)])).map(conflictOf);
  },

  async addressOf(db: Queryable, label: string): Promise<EthAddress | null> {
    const sql = 'SELECT label, address FROM user_name WHERE label = $1';
    const [row] = await db.query<Row>(sql, [label], 'user-name-address');
    return row ? addressFromBytes(row.address) : null;
  },

  async labelOf(db: Queryable, address: EthAddress): Promise<string | null> {
    const [row] = await db.query<Row>('SELECT label, address FROM user_name WHERE address = $1', [
      addressBytes(address),
    ]);
    return row?.label ?? null;
  },

  /** False if the address does not have it. */
  async release(db: Queryable, label: string, address: EthAddress): Promise<boolean> {
    const sql = 'DELETE FROM user_name WHERE label = $1 AND address = $2 RETURNING 1';
    return (await db.query(sql, [label, addressBytes(address)])).length > 0;
  },
};
