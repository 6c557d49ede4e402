import type { EthAddress } from '../../common/ids.js';
import type { SignedUserProfile } from '../../protocol/profile/user-profile.js';
import type { Queryable } from '../../storage/database.js';
import { addressBytes } from '../addresses.js';

/** Table `account`: who has a mailbox here, and the profile they handed in (public data, signed by its owner). */
export const accountStore = {
  async find(db: Queryable, address: EthAddress): Promise<SignedUserProfile | null> {
    const sql = 'SELECT profile FROM account WHERE address = $1';
    const [row] = await db.query<{ profile: SignedUserProfile }>(sql, [addressBytes(address)], 'account-find');
    return row?.profile ?? null;
  },

  async save(db: Queryable, address: EthAddress, profile: SignedUserProfile): Promise<void> {
    const sql = `INSERT INTO account (address, profile) VALUES ($1, $2)
      ON CONFLICT (address) DO UPDATE SET profile = excluded.profile, updated_at = now()`;
    await db.query(sql, [addressBytes(address), JSON.stringify(profile)]);
  },
};
