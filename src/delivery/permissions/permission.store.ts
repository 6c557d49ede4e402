import type { EthAddress } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import { addressBytes, addressFromBytes } from '../addresses.js';
import type { Permission } from './permission.js';

/** Column `account.permissions`. Handing in the profile again leaves it alone. */
export const permissionStore = {
  /** By address; who has no account here is not in it. */
  async find(db: Queryable, addresses: readonly EthAddress[]): Promise<Map<EthAddress, readonly Permission[]>> {
    const sql = 'SELECT address, permissions FROM account WHERE address = ANY($1) AND mailbox';
    const rows = await db.query<{ address: Buffer; permissions: Permission[] }>(sql, [addresses.map(addressBytes)]);
    return new Map(rows.map(({ address, permissions }) => [addressFromBytes(address), permissions]));
  },

  async save(db: Queryable, address: EthAddress, permissions: readonly Permission[]): Promise<void> {
    await db.query('UPDATE account SET permissions = $2 WHERE address = $1', [addressBytes(address), permissions]);
  },
};
