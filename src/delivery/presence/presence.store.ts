import type { EthAddress } from '../../common/ids.js';
import type { Database } from '../../storage/database.js';
import { addressBytes, addressFromBytes } from '../addresses.js';

/** A process that has not been heard of for so long is gone, and its clients with it. */
export const EXPIRY_SECONDS = 60;

const EXPIRY = `now() + interval '${EXPIRY_SECONDS} seconds'`;
const PERMITS = `'presence' = ANY(account.permissions)`;

/**
 * Table `presence`: which accounts have clients at which process, as far as they permit others to see it. The
 * database's clock decides what has expired. Every change is signalled by the statement that makes it, so that a crash
 * leaves both or neither; the payload is an address that everybody may see now, or a moment ago.
 */
export class PresenceStore {
  /** Channels are shared by a whole PostgreSQL database, hence the schema. */
  readonly channel: string;

  constructor(private readonly db: Database) {
    this.channel = `presence/${db.schema}`;
  }

  static readSignal(payload: string): EthAddress {
    return addressFromBytes(Buffer.from(payload, 'hex'));
  }

  /** These have clients at the process for another while. Of those who do not permit it to be seen nothing is kept. */
  async renew(process: string, accounts: readonly EthAddress[]): Promise<void> {
    const sql = `WITH permitting AS (SELECT address FROM account WHERE address = ANY($1) AND ${PERMITS}),
      known AS (UPDATE presence SET expires_at = ${EXPIRY}
        WHERE process = $2 AND address IN (SELECT address FROM permitting)),
      withheld AS (DELETE FROM presence
        WHERE process = $2 AND address = ANY($1) AND address NOT IN (SELECT address FROM permitting)),
      came AS (INSERT INTO presence SELECT address, $2, ${EXPIRY} FROM permitting
        ON CONFLICT DO NOTHING RETURNING address)
      ${this.#signal('came', '$3')}`;
    await this.db.query(sql, [accounts.map(addressBytes), process, this.channel], 'presence-renew');
  }

  /** These have no clients at the process any more. */
  async remove(process: string, accounts: readonly EthAddress[]): Promise<void> {
    const sql = `WITH went AS (DELETE FROM presence WHERE process = $2 AND address = ANY($1) RETURNING address)
      ${this.#signal('went', '$3')}`;
    await this.db.query(sql, [accounts.map(addressBytes), process, this.channel], 'presence-remove');
  }

  /** The process ends. */
  async removeAll(process: string): Promise<void> {
    const sql = `WITH went AS (DELETE FROM presence WHERE process = $1 RETURNING address) ${this.#signal('went', '$2')}`;
    await this.db.query(sql, [process, this.channel]);
  }

  /** Clears up after processes that ended without a word. */
  async purge(): Promise<void> {
    const sql = `WITH went AS (DELETE FROM presence WHERE (address, process) IN (
        SELECT address, process FROM presence WHERE expires_at < now() FOR UPDATE SKIP LOCKED) RETURNING address)
      ${this.#signal('went', '$1')}`;
    await this.db.query(sql, [this.channel]);
  }

  /** Has every process look again: the account permits something else now. */
  async signal(account: EthAddress): Promise<void> {
    await this.db.query('SELECT pg_notify($1, $2)', [this.channel, addressBytes(account).toString('hex')]);
  }

  /** Of these accounts, those who permit it to be seen, and whether they are online. */
  async visible(accounts: readonly EthAddress[]): Promise<Map<EthAddress, boolean>> {
    const sql = `SELECT address, EXISTS (
        SELECT 1 FROM presence WHERE presence.address = account.address AND expires_at > now()) AS online
      FROM account WHERE address = ANY($1) AND ${PERMITS}`;
    const rows = await this.db.query<{ address: Buffer; online: boolean }>(sql, [accounts.map(addressBytes)]);
    return new Map(rows.map(({ address, online }) => [addressFromBytes(address), online]));
  }

  #signal(rows: string, channel: string): string {
    return `SELECT pg_notify(${channel}, encode(address, 'hex')) FROM ${rows}`;
  }
}
