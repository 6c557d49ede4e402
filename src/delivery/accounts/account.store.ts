import type { EthAddress } from '../../common/ids.js';
import type { SignedUserProfile } from '../../protocol/profile/user-profile.js';
import type { Queryable, Tx } from '../../storage/database.js';
import { addressBytes } from '../addresses.js';

/**
 * Tables `account`: who has a mailbox here, and the profile they handed in (public data, signed by its owner), and
 * `replaced_profile`: SHA-256 of those they handed in before. Nothing in a profile says how old it is.
 */
export const accountStore = {
  async find(db: Queryable, address: EthAddress): Promise<SignedUserProfile | null> {
    const sql = 'SELECT profile FROM account WHERE address = $1';
    const [row] = await db.query<{ profile: SignedUserProfile }>(sql, [addressBytes(address)], 'account-find');
    return row?.profile ?? null;
  },

  /** The same, and nobody else changes it before the transaction ends. */
  async lock(tx: Tx, address: EthAddress): Promise<SignedUserProfile | null> {
    const sql = 'SELECT profile FROM account WHERE address = $1 FOR UPDATE';
    const [row] = await tx.query<{ profile: SignedUserProfile }>(sql, [addressBytes(address)]);
    return row?.profile ?? null;
  },

  async save(tx: Tx, address: EthAddress, profile: SignedUserProfile): Promise<void> {
    const sql = `INSERT INTO account (address, profile) VALUES ($1, $2)
      ON CONFLICT (address) DO UPDATE SET profile = excluded.profile, updated_at = now()`;
    await tx.query(sql, [addressBytes(address), JSON.stringify(profile)]);
  },

  async wasReplaced(db: Queryable, address: EthAddress, profileHash: Uint8Array): Promise<boolean> {
    const sql = 'SELECT 1 FROM replaced_profile WHERE address = $1 AND profile_hash = $2';
    return (await db.query(sql, [addressBytes(address), profileHash])).length > 0;
  },

  /** From now on the one profile is a former one, and the other is none. */
  async markReplaced(tx: Tx, address: EthAddress, former: Uint8Array, present: Uint8Array): Promise<void> {
    const bytes = addressBytes(address);
    await tx.query('DELETE FROM replaced_profile WHERE address = $1 AND profile_hash = $2', [bytes, present]);
    const sql = 'INSERT INTO replaced_profile (address, profile_hash) VALUES ($1, $2) ON CONFLICT DO NOTHING';
    await tx.query(sql, [bytes, former]);
  },
};
