import type { EthAddress } from '../../common/ids.js';
import type { Queryable, Tx } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { addressBytes } from '../addresses.js';
import { keepOutcome, OUTCOME_COLUMNS } from '../sent/outcomes.js';

/** A device that has not been here for so long holds nothing back any more. */
const FORGOTTEN_AFTER = `interval '30 days'`;
/** Devices of one account; beyond that the one that was here the longest ago is forgotten. */
const MAX_DEVICES = 20;

/** What every device that still counts has acknowledged, and at least one has. */
const READ_BY_ALL = `EXISTS (SELECT 1 FROM mailbox_acknowledgement WHERE envelope_id = mailbox.id)
  AND NOT EXISTS (
    SELECT 1 FROM mailbox_device AS device WHERE device.receiver = mailbox.receiver AND NOT EXISTS (
      SELECT 1 FROM mailbox_acknowledgement AS read
      WHERE read.envelope_id = mailbox.id AND read.device_key = device.device_key))`;

const KEEP_READ = `WITH read AS (SELECT ${OUTCOME_COLUMNS} FROM mailbox WHERE id = ANY($1::uuid[]))
  ${keepOutcome('read', 'acknowledged')}`;

/**
 * Tables `mailbox_device` and `mailbox_acknowledgement`: the devices of an account, and what each has read of what
 * still waits for another one.
 */
export class DeviceStore {
  constructor(private readonly sealer: Sealer) {}

  /** What stands for a device, whatever it calls itself. */
  key(account: EthAddress, device: string): Buffer {
    return this.sealer.keyedHash('mailbox device', account, device);
  }

  /** It is here, and what comes is kept for it from now on. */
  async greet(db: Queryable, account: EthAddress, deviceKey: Uint8Array): Promise<void> {
    const receiver = addressBytes(account);
    const sql = `INSERT INTO mailbox_device (receiver, device_key) VALUES ($1, $2)
      ON CONFLICT (receiver, device_key) DO UPDATE SET seen_at = now()
      WHERE mailbox_device.seen_at < now() - interval '1 hour' RETURNING 1`;
    const [changed] = await db.query(sql, [receiver, deviceKey], 'device-greet');
    if (!changed) return;
    await db.query(
      `DELETE FROM mailbox_device WHERE receiver = $1 AND device_key IN (
        SELECT device_key FROM mailbox_device WHERE receiver = $1 ORDER BY seen_at DESC OFFSET $2)`,
      [receiver, MAX_DEVICES],
    );
  }

  /**
   * Notes that a device has read these rows, which is all their senders may ask, and removes those that all have.
   * @param ids rows of the account, locked by this transaction: of two devices that read at once, the second sees
   *   what the first noted
   * @returns how many the device had not read before
   */
  async acknowledge(tx: Tx, deviceKey: Uint8Array, ids: readonly string[]): Promise<number> {
    const note = `INSERT INTO mailbox_acknowledgement (envelope_id, device_key) SELECT unnest($1::uuid[]), $2
      ON CONFLICT DO NOTHING RETURNING 1`;
    const noted = await tx.query(note, [ids, deviceKey]);
    await tx.query(KEEP_READ, [ids]);
    await tx.query(`DELETE FROM mailbox WHERE id = ANY($1) AND ${READ_BY_ALL}`, [ids]);
    return noted.length;
  }

  /** Forgets at most `limit` devices that stayed away, and what only they held back. @returns how many devices */
  async purge(tx: Tx, limit: number): Promise<number> {
    const sql = `DELETE FROM mailbox_device WHERE (receiver, device_key) IN (
      SELECT receiver, device_key FROM mailbox_device WHERE seen_at < now() - ${FORGOTTEN_AFTER}
      ORDER BY seen_at LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING receiver`;
    const gone = await tx.query<{ receiver: Buffer }>(sql, [limit]);
    const receivers = gone.map(({ receiver }) => receiver);
    if (gone.length > 0) await tx.query(`DELETE FROM mailbox WHERE receiver = ANY($1) AND ${READ_BY_ALL}`, [receivers]);
    return gone.length;
  }
}
