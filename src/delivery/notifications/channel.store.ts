import { randomUUID } from 'node:crypto';
import type { EthAddress } from '../../common/ids.js';
import type { Queryable, Tx } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { addressBytes } from '../addresses.js';
import type { ChannelType } from './channel.js';

/** How an account is told that messages wait. */
export interface AccountChannel {
  readonly type: ChannelType;
  readonly recipient: string;
  readonly isEnabled: boolean;
  readonly isVerified: boolean;
}

/** A notification that is due, and ours to send until the lease ends. */
export interface DueNotification {
  /** UUID of the channel; one that its owner set up anew has another. */
  readonly id: string;
  readonly type: ChannelType;
  readonly sealedRecipient: Buffer;
  /** Of the newest message it is about, in the mailbox. */
  readonly position: string;
  /** 1 for the first. */
  readonly attempt: number;
}

export interface DueOptions {
  readonly types: readonly ChannelType[];
  /** Only these accounts; null for all. */
  readonly accounts: readonly EthAddress[] | null;
  /** How long a message must have waited. */
  readonly delaySeconds: number;
  readonly leaseSeconds: number;
  readonly limit: number;
}

interface Row {
  readonly id: string;
  readonly type: ChannelType;
  readonly sealed_recipient: Buffer;
  readonly is_enabled: boolean;
  readonly is_verified: boolean;
}

/** Messages that nobody was told of: no socket got them, and no notification was about them or a later one. */
const UNTOLD = `mailbox WHERE mailbox.receiver = channel.account AND mailbox.position > channel.told_position
  AND mailbox.pushed_at IS NULL ORDER BY mailbox.position`;

const place = (id: string) => ({ table: 'notification_channel', column: 'sealed_recipient', row: id });

/**
 * Table `notification_channel`, and the column of `account` that says whether any is used. The mailbox itself is the
 * queue: a message is told of once `told_position` has reached it. `next_at` is when a channel may be used next, after
 * a notification, after a failure, and after the lease of a process that fell silent.
 */
export class NotificationChannelStore {
  constructor(private readonly sealer: Sealer) {}

  async isOn(db: Queryable, account: EthAddress): Promise<boolean> {
    const sql = 'SELECT notifications FROM account WHERE address = $1';
    const [row] = await db.query<{ notifications: boolean }>(sql, [addressBytes(account)]);
    return row?.notifications ?? false;
  }

  /** The same, and no other change of the account's channels is under way until the transaction ends. */
  async lock(tx: Tx, account: EthAddress): Promise<boolean> {
    const sql = 'SELECT notifications FROM account WHERE address = $1 FOR NO KEY UPDATE';
    const [row] = await tx.query<{ notifications: boolean }>(sql, [addressBytes(account)]);
    return row?.notifications ?? false;
  }

  async setOn(db: Queryable, account: EthAddress, isOn: boolean): Promise<void> {
    await db.query('UPDATE account SET notifications = $2 WHERE address = $1', [addressBytes(account), isOn]);
  }

  async all(db: Queryable, account: EthAddress): Promise<AccountChannel[]> {
    const sql = `SELECT id, type, sealed_recipient, is_enabled, is_verified FROM notification_channel
      WHERE account = $1 ORDER BY type`;
    const rows = await db.query<Row>(sql, [addressBytes(account)]);
    return rows.map((row) => ({
      type: row.type,
      recipient: this.#open(row.id, row.sealed_recipient),
      isEnabled: row.is_enabled,
      isVerified: row.is_verified,
    }));
  }

  /** Sets up a channel in place of any other of its type. What waits already is not notified. */
  async put(tx: Tx, account: EthAddress, channel: Omit<AccountChannel, 'isEnabled'>): Promise<void> {
    const { type, recipient, isVerified } = channel;
    const id = randomUUID();
    await this.remove(tx, account, type);
    const sql = `INSERT INTO notification_channel (id, account, type, sealed_recipient, is_verified, told_position)
      VALUES ($1, $2, $3, $4, $5, (SELECT coalesce(max(position), 0) FROM mailbox WHERE receiver = $2))`;
    const sealed = this.sealer.seal(place(id), Buffer.from(recipient));
    await tx.query(sql, [id, addressBytes(account), type, sealed, isVerified]);
  }

  async setVerified(db: Queryable, account: EthAddress, type: ChannelType): Promise<void> {
    const sql = 'UPDATE notification_channel SET is_verified = true WHERE account = $1 AND type = $2';
    await db.query(sql, [addressBytes(account), type]);
  }

  /** False if there is no such channel. */
  async setEnabled(db: Queryable, account: EthAddress, type: ChannelType, isEnabled: boolean): Promise<boolean> {
    const sql = 'UPDATE notification_channel SET is_enabled = $3 WHERE account = $1 AND type = $2 RETURNING 1';
    return (await db.query(sql, [addressBytes(account), type, isEnabled])).length > 0;
  }

  /** False if there is no such channel. */
  async remove(db: Queryable, account: EthAddress, type: ChannelType): Promise<boolean> {
    const sql = 'DELETE FROM notification_channel WHERE account = $1 AND type = $2 RETURNING 1';
    return (await db.query(sql, [addressBytes(account), type])).length > 0;
  }

  /** Takes notifications that are due, longest due first; nobody else gets them before the lease ends. */
  async claimDue(db: Queryable, options: DueOptions): Promise<DueNotification[]> {
    const { types, accounts, delaySeconds, leaseSeconds, limit } = options;
    const sql = `WITH due AS (
        SELECT channel.id, newest.position FROM notification_channel AS channel
        JOIN account ON account.address = channel.account
        CROSS JOIN LATERAL (SELECT received_at FROM ${UNTOLD} LIMIT 1) AS oldest
        CROSS JOIN LATERAL (SELECT position FROM ${UNTOLD} DESC LIMIT 1) AS newest
        WHERE account.notifications AND channel.is_enabled AND channel.is_verified AND channel.next_at <= now()
          AND channel.type = ANY($1) AND ($2::bytea[] IS NULL OR channel.account = ANY($2))
          AND oldest.received_at <= now() - make_interval(secs => $3)
        ORDER BY channel.next_at LIMIT $5 FOR NO KEY UPDATE OF channel SKIP LOCKED
      )
      UPDATE notification_channel AS channel
      SET next_at = now() + make_interval(secs => $4), attempts = channel.attempts + 1
      FROM due WHERE channel.id = due.id
      RETURNING channel.id, channel.type, channel.sealed_recipient AS "sealedRecipient", due.position,
        channel.attempts AS attempt`;
    const wanted = accounts?.map(addressBytes) ?? null;
    const values = [types, wanted, delaySeconds, leaseSeconds, limit];
    return db.query<{ [Field in keyof DueNotification]: DueNotification[Field] }>(sql, values);
  }

  /** The account has been told, or will not be; of what comes from now on, not before so many seconds. */
  async settle(db: Queryable, { id, position }: DueNotification, seconds: number): Promise<void> {
    const sql = `UPDATE notification_channel
      SET told_position = greatest(told_position, $2), attempts = 0, next_at = now() + make_interval(secs => $3)
      WHERE id = $1`;
    await db.query(sql, [id, position, seconds]);
  }

  async postpone(db: Queryable, { id }: DueNotification, seconds: number): Promise<void> {
    const sql = 'UPDATE notification_channel SET next_at = now() + make_interval(secs => $2) WHERE id = $1';
    await db.query(sql, [id, seconds]);
  }

  /** Forgets the channel that a notification was for. */
  async drop(db: Queryable, { id }: DueNotification): Promise<void> {
    await db.query('DELETE FROM notification_channel WHERE id = $1', [id]);
  }

  /** To whom it goes. @throws SealBrokenError; StorageKeyMissingError (retry) */
  recipientOf({ id, sealedRecipient }: DueNotification): string {
    return this.#open(id, sealedRecipient);
  }

  #open(id: string, sealedRecipient: Uint8Array): string {
    return Buffer.from(this.sealer.open(place(id), sealedRecipient)).toString();
  }
}
