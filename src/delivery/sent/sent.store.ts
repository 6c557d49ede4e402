import type { EthAddress, Hash } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { addressBytes } from '../addresses.js';
import { hashKey, senderKey } from '../mailbox/mailbox-keys.js';
import { keepOutcome, OUTCOME_COLUMNS, type Outcome } from './outcomes.js';

/** `queued`: no client of the receiver has had it. `pushed`: one has. `acknowledged`: one has said so. */
export type SentState = Outcome | 'pushed' | 'queued';

/** From whom, and to which account here. */
export interface Sent {
  readonly sender: EthAddress;
  readonly receiver: EthAddress;
}

interface Row {
  readonly message_key: Buffer | null;
  readonly encrypted_key: Buffer;
  readonly state: SentState;
}

/** A message that was sent more than once is as far as its furthest envelope. */
const FURTHEST_LAST: readonly SentState[] = ['recalled', 'queued', 'pushed', 'acknowledged'];

/** Rows of $2, a sender who was verified: whoever was not may have given itself any name. */
const OF_SENDER = 'sender_key = $2 AND (message_key = ANY($3) OR encrypted_key = ANY($3))';
const WAITING = `receiver = $1 AND verdict = 'verified' AND ${OF_SENDER}`;

/**
 * Table `mailbox_outcome`, keyed hashes and times of messages that are gone, and a sender's view of `mailbox`.
 */
export class SentStore {
  constructor(private readonly sealer: Sealer) {}

  /** In the order of the hashes; null for what the sender did not send, or is forgotten. */
  async states(db: Queryable, sent: Sent, hashes: readonly Hash[]): Promise<(SentState | null)[]> {
    const keys = hashes.map((hash) => hashKey(this.sealer, sent.receiver, hash));
    const sql = `
      SELECT message_key, encrypted_key, CASE WHEN pushed_at IS NULL THEN 'queued' ELSE 'pushed' END AS state
      FROM mailbox WHERE ${WAITING}
      UNION ALL
      SELECT message_key, encrypted_key, outcome FROM mailbox_outcome WHERE ${OF_SENDER}`;
    const rows = await db.query<Row>(sql, this.#values(sent, keys));
    return keys.map((key) => furthest(rows.filter((row) => isKnownBy(row, key))));
  }

  /**
   * Removes what no client of the receiver has had, and keeps that it was recalled, in one statement. One that is being
   * handed out at the same moment is handed out or recalled: the row's lock decides.
   * @returns how many envelopes that were
   */
  async recall(db: Queryable, sent: Sent, hash: Hash): Promise<number> {
    const sql = `WITH gone AS (
        DELETE FROM mailbox WHERE ${WAITING} AND pushed_at IS NULL RETURNING ${OUTCOME_COLUMNS}
      ), kept AS (${keepOutcome('gone', 'recalled')}) SELECT 1 FROM gone`;
    const key = hashKey(this.sealer, sent.receiver, hash);
    return (await db.query(sql, this.#values(sent, [key]))).length;
  }

  /** Forgets at most `limit` outcomes that are older than `days`. @returns how many */
  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM mailbox_outcome WHERE (encrypted_key, sender_key) IN (
      SELECT encrypted_key, sender_key FROM mailbox_outcome WHERE settled_at < now() - make_interval(days => $1)
      ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1`;
    return (await db.query(sql, [days, limit])).length;
  }

  #values({ sender, receiver }: Sent, keys: readonly Buffer[]): unknown[] {
    return [addressBytes(receiver), senderKey(this.sealer, receiver, sender), keys];
  }
}

function isKnownBy({ message_key, encrypted_key }: Row, key: Buffer): boolean {
  return encrypted_key.equals(key) || message_key?.equals(key) === true;
}

function furthest(rows: readonly Row[]): SentState | null {
  return FURTHEST_LAST.findLast((state) => rows.some((row) => row.state === state)) ?? null;
}
