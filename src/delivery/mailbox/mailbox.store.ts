import type { EthAddress, Hash } from '../../common/ids.js';
import { insertOnce, SEEN_SECONDS } from '../../outbox/seen.js';
import type { ProcessedEnvelope } from '../../protocol/envelope/postmark.js';
import type { Queryable, Tx } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { addressBytes, addressFromBytes } from '../addresses.js';
import { keepOutcome, OUTCOME_COLUMNS } from '../sent/outcomes.js';
import { hashKey, senderKey } from './mailbox-keys.js';

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
  readonly verdict: Verdict;
  /** The time in its postmark, milliseconds since the epoch: older clients acknowledge by it. */
  readonly postmarkedAt: number;
}

export type Verdict = 'verified' | 'unverified';

interface Row extends Waiting {
  readonly sealed_envelope: Buffer;
}

/** A row, and whether no client of its receiver has had it yet. */
interface Waiting {
  readonly id: string;
  readonly fresh: boolean;
}

/** Which envelopes; without members, all. */
export interface Selection {
  /** Those that came before the one at this position. */
  readonly before?: string;
  /** Those of somebody who is known by any of these: address, or the name an unverified sender gave itself. */
  readonly senders?: readonly string[];
  /** Without those that this device has acknowledged. */
  readonly unreadBy?: Uint8Array;
}

/** Some of what waits, newest first. */
export interface Page {
  readonly entries: readonly PageEntry[];
  /** Whether there are older ones. */
  readonly more: boolean;
}

export interface PageEntry extends Waiting {
  /** Decimal; a later envelope has a higher one. */
  readonly position: string;
  readonly verdict: Verdict;
  readonly envelope: ProcessedEnvelope;
}

/** What a client has read: hashes of either kind, or senders with the time in a postmark. */
export interface Read {
  readonly hashes: readonly Hash[];
  readonly arrivals: readonly { readonly senders: readonly string[]; readonly postmarkedAt: number }[];
}

/** A row and what lies in it. */
export interface Letter extends Waiting {
  readonly envelope: ProcessedEnvelope;
}

/** A row and how long ago it came. */
export interface Arrived {
  readonly id: string;
  readonly receiver: EthAddress;
  readonly seconds: number;
}

interface Condition {
  readonly where: string;
  readonly values: readonly unknown[];
}

/** More is not opened for one answer; a single envelope is given out whatever its size. */
const PAGE_BYTES = 64 * 1024 * 1024;
const NEWEST = String(2n ** 63n - 1n);

const ADD_ONCE = insertOnce(`INSERT INTO mailbox
  (id, receiver, sender_key, message_key, encrypted_key, sealed_envelope, size, verdict, postmarked_ms)
  SELECT $2, $4::bytea, $5::bytea, $6::bytea, $7::bytea, $8::bytea, $9::integer, $10, $11::bigint FROM first
  RETURNING 1`);

const place = (id: string) => ({ table: 'mailbox', column: 'sealed_envelope', row: id });

/** Table `mailbox`: envelopes waiting for accounts of this delivery service, sealed, found by keyed hashes. */
export class MailboxStore {
  constructor(private readonly sealer: Sealer) {}

  /**
   * Puts an envelope into its mailbox and remembers its key, in one statement.
   * @param id UUID of the new row
   * @param seenKey of which there is one envelope, however often it comes
   * @returns false if there has been one
   */
  async addOnce(db: Queryable, id: string, entry: MailboxEntry, seenKey: Uint8Array): Promise<boolean> {
    const { receiver, messageHash } = entry;
    const values = [
      seenKey,
      id,
      SEEN_SECONDS,
      addressBytes(receiver),
      this.#senderKey(receiver, entry.sender),
      messageHash && this.#hashKey(receiver, messageHash),
      this.#hashKey(receiver, entry.encryptedMessageHash),
      this.sealer.sealJson(place(id), entry.envelope),
      entry.size,
      entry.verdict,
      entry.postmarkedAt,
    ];
    return (await db.query(ADD_ONCE, values, 'mailbox-add')).length > 0;
  }

  /** Newest first: `limit` envelopes at most, and fewer if they are large. */
  async page(db: Queryable, receiver: EthAddress, limit: number, selection: Selection = {}): Promise<Page> {
    const values: unknown[] = [addressBytes(receiver), selection.before ?? NEWEST, limit + 1, PAGE_BYTES];
    const conditions = ['receiver = $1', 'position < $2'];
    if (selection.senders) {
      values.push(selection.senders.map((sender) => this.#senderKey(receiver, sender)));
      conditions.push(`sender_key = ANY($${values.length})`);
    }
    if (selection.unreadBy) {
      values.push(selection.unreadBy);
      conditions.push(`NOT EXISTS (SELECT 1 FROM mailbox_acknowledgement AS read
        WHERE read.envelope_id = mailbox.id AND read.device_key = $${values.length})`);
    }
    const sql = `SELECT id, position, verdict, fresh, CASE WHEN above < $4 THEN sealed_envelope END AS sealed_envelope FROM (
      SELECT id, position, verdict, pushed_at IS NULL AS fresh, sealed_envelope, sum(size) OVER (ORDER BY position DESC ROWS UNBOUNDED PRECEDING) - size AS above
      FROM mailbox WHERE ${conditions.join(' AND ')} ORDER BY position DESC LIMIT $3) AS newest`;
    const name = `mailbox-page${selection.senders ? '-from' : ''}${selection.unreadBy ? '-unread' : ''}`;
    const rows = await db.query<Row & Omit<PageEntry, 'envelope'>>(sql, values, name);
    const taken = rows.slice(0, limit).filter((row) => row.sealed_envelope !== null);
    const entries = taken.map((row) => ({
      id: row.id,
      fresh: row.fresh,
      position: row.position,
      verdict: row.verdict,
      envelope: this.#open(row),
    }));
    return { entries, more: taken.length < rows.length };
  }

  /** Those of these rows that wait for the receiver, oldest first. */
  async waiting(db: Queryable, receiver: EthAddress, ids: readonly string[]): Promise<Letter[]> {
    const sql = `SELECT id, pushed_at IS NULL AS fresh, sealed_envelope FROM mailbox
      WHERE receiver = $1 AND id = ANY($2::uuid[]) ORDER BY position`;
    const rows = await db.query<Row>(sql, [addressBytes(receiver), ids], 'mailbox-waiting');
    return rows.map((row) => ({ id: row.id, fresh: row.fresh, envelope: this.#open(row) }));
  }

  /**
   * Remembers, before they go out, that a client of the receiver gets these rows: from now on they cannot be recalled,
   * and stay until they are acknowledged. A crash right after it leaves them waiting, as if the client had been told.
   * @returns those that are still there: one that was recalled a moment ago must not go out
   */
  async handOut<Entry extends Waiting>(db: Queryable, entries: readonly Entry[]): Promise<Entry[]> {
    const fresh = entries.flatMap((entry) => (entry.fresh ? [entry.id] : []));
    if (fresh.length === 0) return [...entries];
    const sql = `UPDATE mailbox SET pushed_at = coalesce(pushed_at, now()) WHERE id IN (
      SELECT id FROM mailbox WHERE id = ANY($1::uuid[]) ORDER BY position FOR UPDATE) RETURNING id`;
    const there = new Set((await db.query<{ id: string }>(sql, [fresh], 'mailbox-hand-out')).map(({ id }) => id));
    return entries.filter(({ id, fresh: wasFresh }) => !wasFresh || there.has(id));
  }

  /** What came for these accounts within the last `seconds`, oldest first. */
  async arrived(db: Queryable, receivers: readonly EthAddress[], seconds: number): Promise<Arrived[]> {
    const sql = `SELECT id, receiver, extract(epoch FROM now() - received_at)::float8 AS seconds FROM mailbox
      WHERE receiver = ANY($1) AND received_at > now() - make_interval(secs => $2) ORDER BY position`;
    const rows = await db.query<Omit<Arrived, 'receiver'> & { receiver: Buffer }>(sql, [
      receivers.map(addressBytes),
      seconds,
    ]);
    return rows.map(({ receiver, ...row }) => ({ ...row, receiver: addressFromBytes(receiver) }));
  }

  /** Whose these messages are, as far as they are still there; each once. */
  async receivers(db: Queryable, ids: readonly string[]): Promise<EthAddress[]> {
    const sql = 'SELECT DISTINCT receiver FROM mailbox WHERE id = ANY($1::uuid[])';
    const rows = await db.query<{ receiver: Buffer }>(sql, [ids], 'mailbox-receivers');
    return rows.map(({ receiver }) => addressFromBytes(receiver));
  }

  /** How much waits for an account. */
  async weigh(db: Queryable, receiver: EthAddress): Promise<{ messages: number; bytes: number }> {
    const sql = `SELECT count(*)::float8 AS messages, coalesce(sum(size), 0)::float8 AS bytes
      FROM mailbox WHERE receiver = $1`;
    const [row] = await db.query<{ messages: number; bytes: number }>(sql, [addressBytes(receiver)], 'mailbox-weigh');
    return row!;
  }

  /**
   * Removes what the account has read, keeps for senders who may ask that it was, and says how much that was. Either
   * hash will do; unknown ones are ignored.
   */
  async acknowledge(db: Queryable, receiver: EthAddress, read: Read): Promise<number> {
    let removed = 0;
    for (const { where, values } of this.#conditions(receiver, read)) {
      const locked = `SELECT id FROM mailbox WHERE ${where} ORDER BY position FOR UPDATE`;
      const sql = `WITH read AS (DELETE FROM mailbox WHERE id IN (${locked}) RETURNING ${OUTCOME_COLUMNS}),
        kept AS (${keepOutcome('read', 'acknowledged')}) SELECT 1 FROM read`;
      removed += (await db.query(sql, values)).length;
    }
    return removed;
  }

  /** The rows that the account has read, locked until the transaction ends. */
  async lock(tx: Tx, receiver: EthAddress, read: Read): Promise<string[]> {
    const ids: string[] = [];
    for (const { where, values } of this.#conditions(receiver, read)) {
      const sql = `SELECT id FROM mailbox WHERE ${where} ORDER BY position FOR UPDATE`;
      ids.push(...(await tx.query<{ id: string }>(sql, values)).map(({ id }) => id));
    }
    return ids;
  }

  /** Deletes at most `limit` envelopes that have waited longer than `days`. */
  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM mailbox WHERE id IN (
      SELECT id FROM mailbox WHERE received_at < now() - make_interval(days => $1) ORDER BY received_at LIMIT $2
      FOR UPDATE SKIP LOCKED) RETURNING position`;
    return (await db.query(sql, [days, limit])).length;
  }

  /** No index serves both at once. */
  #conditions(receiver: EthAddress, { hashes, arrivals }: Read): Condition[] {
    return [...this.#ofHashes(receiver, hashes), ...this.#ofArrivals(receiver, arrivals)];
  }

  #ofHashes(receiver: EthAddress, hashes: Read['hashes']): Condition[] {
    if (hashes.length === 0) return [];
    const keys = hashes.map((hash) => this.#hashKey(receiver, hash));
    const where = 'receiver = $1 AND (message_key = ANY($2) OR encrypted_key = ANY($2))';
    return [{ where, values: [addressBytes(receiver), keys] }];
  }

  #ofArrivals(receiver: EthAddress, arrivals: Read['arrivals']): Condition[] {
    if (arrivals.length === 0) return [];
    const pairs = arrivals.flatMap(({ senders, postmarkedAt }) =>
      senders.map((sender) => [this.#senderKey(receiver, sender), postmarkedAt] as const),
    );
    const where = `receiver = $1 AND sender_key = ANY($2)
      AND (sender_key, postmarked_ms) IN (SELECT * FROM unnest($2::bytea[], $3::bigint[]))`;
    return [{ where, values: [addressBytes(receiver), pairs.map(([key]) => key), pairs.map(([, time]) => time)] }];
  }

  #senderKey(receiver: EthAddress, sender: string): Buffer {
    return senderKey(this.sealer, receiver, sender);
  }

  #hashKey(receiver: EthAddress, hash: Hash): Buffer {
    return hashKey(this.sealer, receiver, hash);
  }

  #open({ id, sealed_envelope }: Row): ProcessedEnvelope {
    return this.sealer.openJson<ProcessedEnvelope>(place(id), sealed_envelope);
  }
}
