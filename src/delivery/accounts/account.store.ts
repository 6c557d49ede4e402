import type { EthAddress } from '../../common/ids.js';
import type { SignedUserProfile } from '../../protocol/profile/user-profile.js';
import type { Queryable, Tx } from '../../storage/database.js';
import { addressBytes } from '../addresses.js';

/** Who handed in a profile: for a mailbox, or only for a name under our root. */
export interface Holder {
  readonly profile: SignedUserProfile;
  readonly mailbox: boolean;
}

/**
 * Tables `account`: who has a mailbox (or only a name) here, and the profile they handed in (public data, signed by its
 * owner), and `replaced_profile`: SHA-256 of those they handed in before. Nothing in a profile says how old it is.
 */
export const accountStore = {
  async find(db: Queryable, address: EthAddress): Promise<Holder | null> {
    const sql = 'SELECT profile, mailbox FROM account WHERE address = $1';
    const [row] = await db.query<Holder>(sql, [addressBytes(address)], 'account-find');
    return row ?? null;
  },

  /** The profile; nobody else changes it before the transaction ends. */
  async lock(tx: Tx, address: EthAddress): Promise<SignedUserProfile | null> {
    const sql = 'SELECT profile FROM account WHERE address = $1 FOR UPDATE';
    const [row] = await tx.query<{ profile: SignedUserProfile }>(sql, [addressBytes(address)]);
    return row?.profile ?? null;
  },

  /** False if there is an account already: of several who come at once, one opens it. */
  async open(tx: Tx, address: EthAddress, { profile, mailbox }: Holder): Promise<boolean> {
    const sql =
      'INSERT INTO account (address, profile, mailbox) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1';
    return (await tx.query(sql, [addressBytes(address), JSON.stringify(profile), mailbox])).length > 0;
  },

  /** Whoever has a mailbox keeps it. */
  async replace(tx: Tx, address: EthAddress, { profile, mailbox }: Holder): Promise<void> {
    const sql = 'UPDATE account SET profile = $2, mailbox = mailbox OR $3, updated_at = now() WHERE address = $1';
    await tx.query(sql, [addressBytes(address), JSON.stringify(profile), mailbox]);
  },

  async noteLogin(db: Queryable, address: EthAddress): Promise<void> {
    const sql = 'UPDATE account SET logged_in = true WHERE address = $1 AND NOT logged_in';
    await db.query(sql, [addressBytes(address)]);
  },

  async wasLoggedInTo(db: Queryable, address: EthAddress): Promise<boolean> {
    const sql = 'SELECT 1 FROM account WHERE address = $1 AND logged_in';
    return (await db.query(sql, [addressBytes(address)])).length > 0;
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
