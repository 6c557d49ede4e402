import { randomUUID } from 'node:crypto';
import type { EthAddress, Hash } from '../../common/ids.js';
import type { ProcessedEnvelope } from '../../protocol/envelope/postmark.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { addressBytes } from '../addresses.js';

export interface MailboxEntry {
  readonly receiver: EthAddress;
  /** The sender's address if it was verified, else whatever name it gives itself. */
  readonly sender: string;
  /** Hash of the plain message, as the newest clients send it. */
  readonly messageHash: Hash | null;
  /** Hash of the encrypted message, as older clients send it; always known. */
  readonly encryptedMessageHash: Hash;
  readonly envelope: ProcessedEnvelope;
  readonly size: number;
  /** Whether the envelope's signature could be checked against the sender's profile. */
  readonly verdict: 'verified' | 'unverified';
}

interface Row {
  readonly id: string;
  readonly sealed_envelope: Buffer;
}

const place = (id: string) => ({ table: 'mailbox', column: 'sealed_envelope', row: id });

/** Table `mailbox`: envelopes waiting for accounts of this delivery service, sealed, found by keyed hashes. */
export class MailboxStore {
  constructor(private readonly sealer: Sealer) {}

  async add(tx: Queryable, entry: MailboxEntry): Promise<void> {
    const id = randomUUID();
    const { receiver, messageHash } = entry;
    const sql = `INSERT INTO mailbox (id, receiver, sender_key, message_key, encrypted_key, sealed_envelope, size, verdict)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;
    const values = [
      id,
      addressBytes(receiver),
      this.#senderKey(receiver, entry.sender),
      messageHash && this.#hashKey(receiver, messageHash),
      this.#hashKey(receiver, entry.encryptedMessageHash),
      this.sealer.sealJson(place(id), entry.envelope),
      entry.size,
      entry.verdict,
    ];
    await tx.query(sql, values, 'mailbox-add');
  }

  /** Newest first, `limit` at most. */
  async list(db: Queryable, receiver: EthAddress, limit: number): Promise<ProcessedEnvelope[]> {
    const sql = 'SELECT id, sealed_envelope FROM mailbox WHERE receiver = $1 ORDER BY position DESC LIMIT $2';
    return this.#open(await db.query<Row>(sql, [addressBytes(receiver), limit], 'mailbox-list'));
  }

  async listFrom(db: Queryable, receiver: EthAddress, sender: EthAddress, limit: number): Promise<ProcessedEnvelope[]> {
    const sql = `SELECT id, sealed_envelope FROM mailbox WHERE receiver = $1 AND sender_key = $2
      ORDER BY position DESC LIMIT $3`;
    return this.#open(await db.query<Row>(sql, [addressBytes(receiver), this.#senderKey(receiver, sender), limit]));
  }

  /** Removes what the account has read. Either hash of a message will do; unknown ones are ignored. */
  async acknowledge(db: Queryable, receiver: EthAddress, hashes: readonly Hash[]): Promise<number> {
    const keys = hashes.map((hash) => this.#hashKey(receiver, hash));
    const sql = `DELETE FROM mailbox WHERE receiver = $1 AND (message_key = ANY($2) OR encrypted_key = ANY($2))
      RETURNING position`;
    return (await db.query(sql, [addressBytes(receiver), keys])).length;
  }

  /** Deletes at most `limit` envelopes that have waited longer than `days`. */
  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM mailbox WHERE id IN (
      SELECT id FROM mailbox WHERE received_at < now() - make_interval(days => $1) LIMIT $2) RETURNING position`;
    return (await db.query(sql, [days, limit])).length;
  }

  #senderKey(receiver: EthAddress, sender: string): Buffer {
    return this.sealer.keyedHash('mailbox sender', receiver, sender);
  }

  #hashKey(receiver: EthAddress, hash: Hash): Buffer {
    return this.sealer.keyedHash('mailbox hash', receiver, hash.toLowerCase());
  }

  #open(rows: readonly Row[]): ProcessedEnvelope[] {
    return rows.map((row) => this.sealer.openJson<ProcessedEnvelope>(place(row.id), row.sealed_envelope));
  }
}
