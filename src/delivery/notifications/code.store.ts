import type { EthAddress } from '../../common/ids.js';
import type { Queryable, Tx } from '../../storage/database.js';
import { addressBytes } from '../addresses.js';

/** The code that was sent last, after one more try to guess it. */
export interface TriedCode {
  readonly id: string;
  readonly codeKey: Buffer;
  /** With this one. */
  readonly attempts: number;
  readonly isUsed: boolean;
  /** Since it was sent, seconds. */
  readonly age: number;
}

/** How many codes were sent within a day, and how long ago. */
export interface RecentCodes {
  readonly count: number;
  /** Seconds since the first of them and since the last one; 0 without any. */
  readonly firstAge: number;
  readonly lastAge: number;
}

const ascending = (a: bigint, b: bigint) => (a < b ? -1 : 1);

const DAY = `interval '1 day'`;

/** Keyed hashes: what a code is good for, who gets it, and the code itself. */
export interface CodeKeys {
  readonly purpose: Buffer;
  readonly recipient: Buffer;
  readonly code: Buffer;
}

/** Table `notification_code`: one-time passwords of the last day, as keyed hashes, and how often each was guessed at. */
export const notificationCodeStore = {
  /** Nobody else counts or adds codes of the account, or for the recipient, until the transaction ends. */
  async lock(tx: Tx, account: EthAddress, recipientKey: Buffer): Promise<void> {
    // In one order for all, so that no two wait for each other.
    const locks = [addressBytes(account), recipientKey].map((key) => key.readBigInt64BE()).sort(ascending);
    for (const lock of locks) await tx.query('SELECT pg_advisory_xact_lock($1)', [lock]);
  },

  async add(db: Queryable, id: string, account: EthAddress, keys: CodeKeys): Promise<void> {
    const sql = `INSERT INTO notification_code (id, account, purpose_key, recipient_key, code_key)
      VALUES ($1, $2, $3, $4, $5)`;
    await db.query(sql, [id, addressBytes(account), keys.purpose, keys.recipient, keys.code]);
  },

  recentOf(db: Queryable, account: EthAddress): Promise<RecentCodes> {
    return recent(db, 'account = $1', addressBytes(account));
  },

  recentTo(db: Queryable, recipientKey: Buffer): Promise<RecentCodes> {
    return recent(db, 'recipient_key = $1', recipientKey);
  },

  /** Null if the account was sent none for this purpose within a day. */
  async tryLatest(db: Queryable, account: EthAddress, purposeKey: Buffer): Promise<TriedCode | null> {
    const sql = `UPDATE notification_code SET attempts = attempts + 1
      WHERE id = (
        SELECT id FROM notification_code WHERE account = $1 AND purpose_key = $2 ORDER BY sent_at DESC LIMIT 1)
      RETURNING id, code_key AS "codeKey", attempts, is_used AS "isUsed",
        extract(epoch FROM now() - sent_at)::float8 AS age`;
    const values = [addressBytes(account), purposeKey];
    const [code] = await db.query<{ [Field in keyof TriedCode]: TriedCode[Field] }>(sql, values);
    return code ?? null;
  },

  async use(db: Queryable, id: string): Promise<void> {
    await db.query('UPDATE notification_code SET is_used = true WHERE id = $1', [id]);
  },

  /** Deletes at most `limit` that no limit counts any more, and returns how many. */
  async purge(db: Queryable, limit: number): Promise<number> {
    const sql = `DELETE FROM notification_code WHERE id IN (
      SELECT id FROM notification_code WHERE sent_at < now() - ${DAY} ORDER BY sent_at LIMIT $1
      FOR UPDATE SKIP LOCKED) RETURNING 1`;
    return (await db.query(sql, [limit])).length;
  },
};

async function recent(db: Queryable, where: string, key: Buffer): Promise<RecentCodes> {
  const sql = `SELECT count(*)::int AS count,
      coalesce(extract(epoch FROM now() - min(sent_at)), 0)::float8 AS "firstAge",
      coalesce(extract(epoch FROM now() - max(sent_at)), 0)::float8 AS "lastAge"
    FROM notification_code WHERE ${where} AND sent_at > now() - ${DAY}`;
  const [row] = await db.query<{ [Field in keyof RecentCodes]: RecentCodes[Field] }>(sql, [key]);
  return row!;
}
