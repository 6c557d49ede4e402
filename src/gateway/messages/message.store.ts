import type { ConversationId, EthAddress, MessageId, NetworkId } from '../../common/ids.js';
import { addressBytes, addressFromBytes } from '../../delivery/addresses.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';

export type Direction = 'to-dm3' | 'from-dm3' | 'notice';

/** accepted -> frozen -> delivered | failed; `failed` may go back to `accepted` by an operator's retry. */
export type MessageState = 'accepted' | 'frozen' | 'delivered' | 'failed';

export interface NewMessage {
  readonly id: MessageId;
  readonly direction: Direction;
  readonly network: NetworkId;
  readonly identity: EthAddress;
  readonly ghost: EthAddress;
  readonly conversation: ConversationId | null;
  readonly payload: unknown;
}

export interface StoredMessage extends Omit<NewMessage, 'payload'> {
  readonly state: MessageState;
  readonly code: string | null;
  readonly acceptedAt: Date;
  readonly settledAt: Date | null;
}

interface Row {
  readonly id: string;
  readonly direction: Direction;
  readonly network: string;
  readonly state: MessageState;
  readonly identity: Buffer;
  readonly ghost: Buffer;
  readonly conversation_id: string | null;
  readonly sealed_payload: Buffer | null;
  readonly sealed_frozen: Buffer | null;
  readonly code: string | null;
  readonly accepted_at: Date;
  readonly settled_at: Date | null;
}

const place = (column: 'sealed_payload' | 'sealed_frozen', id: string) => ({ table: 'message', column, row: id });

/** Table `message`: what we are responsible for, from acceptance to its final state. Content is erased there. */
export class MessageStore {
  constructor(private readonly sealer: Sealer) {}

  /** False if a message of this id is there already. */
  async add(tx: Queryable, message: NewMessage): Promise<boolean> {
    const { id, direction, network, identity, ghost, conversation } = message;
    const sql = `INSERT INTO message (id, direction, network, state, identity, ghost, conversation_id, sealed_payload)
      VALUES ($1, $2, $3, 'accepted', $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING RETURNING id`;
    const payload = this.sealer.sealJson(place('sealed_payload', id), message.payload);
    const values = [id, direction, network, addressBytes(identity), addressBytes(ghost), conversation, payload];
    return (await tx.query(sql, values, 'message-add')).length > 0;
  }

  async find(db: Queryable, id: string): Promise<StoredMessage | null> {
    const [row] = await db.query<Row>('SELECT * FROM message WHERE id = $1', [id]);
    return row ? stored(row) : null;
  }

  /** The message with what it carries; null when it is gone or its content was erased at the final state. */
  async load<Payload, Frozen>(
    db: Queryable,
    id: string,
  ): Promise<(StoredMessage & { readonly payload: Payload; readonly frozen: Frozen | null }) | null> {
    const [row] = await db.query<Row>('SELECT * FROM message WHERE id = $1', [id], 'message-load');
    if (!row?.sealed_payload) return null;
    const payload = this.sealer.openJson<Payload>(place('sealed_payload', id), row.sealed_payload);
    const frozen = row.sealed_frozen && this.sealer.openJson<Frozen>(place('sealed_frozen', id), row.sealed_frozen);
    return { ...stored(row), payload, frozen };
  }

  /** Whether the dm3 user has written to the ghost, as far back as messages are kept. */
  async hasWritten(db: Queryable, identity: EthAddress, ghost: EthAddress): Promise<boolean> {
    const sql = `SELECT 1 FROM conversation c JOIN message m ON m.conversation_id = c.id
      WHERE c.identity = $1 AND c.ghost = $2 AND m.direction = 'from-dm3' LIMIT 1`;
    return (await db.query(sql, [addressBytes(identity), addressBytes(ghost)], 'message-has-written')).length > 0;
  }

  /** From here on every attempt sends the same bytes. */
  async freeze(tx: Queryable, id: MessageId, frozen: unknown, conversation: ConversationId | null): Promise<void> {
    const sql = `UPDATE message SET state = 'frozen', sealed_frozen = $2, conversation_id = coalesce($3, conversation_id)
      WHERE id = $1`;
    await tx.query(sql, [id, this.sealer.sealJson(place('sealed_frozen', id), frozen), conversation], 'message-freeze');
  }

  /** Final: the content goes, ids and times stay. */
  async delivered(tx: Queryable, id: MessageId, code: string | null = null): Promise<void> {
    const sql = `UPDATE message SET state = 'delivered', code = $2, settled_at = now(),
      sealed_payload = NULL, sealed_frozen = NULL WHERE id = $1`;
    await tx.query(sql, [id, code], 'message-delivered');
  }

  /** Dead letter: the content stays, so that an operator can retry, until it is purged. */
  async failed(tx: Queryable, id: MessageId, code: string): Promise<void> {
    await tx.query(`UPDATE message SET state = 'failed', code = $2, settled_at = now() WHERE id = $1`, [id, code]);
  }

  /** An operator's retry. */
  async reopened(tx: Queryable, id: MessageId): Promise<void> {
    const sql = `UPDATE message SET state = CASE WHEN sealed_frozen IS NULL THEN 'accepted' ELSE 'frozen' END,
      code = NULL, settled_at = NULL WHERE id = $1`;
    await tx.query(sql, [id]);
  }

  /** Erases the content of dead letters older than `days`. @returns how many, `limit` at most */
  async eraseDead(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `UPDATE message SET sealed_payload = NULL, sealed_frozen = NULL WHERE id IN (
      SELECT id FROM message WHERE state = 'failed' AND sealed_payload IS NOT NULL
        AND settled_at < now() - make_interval(days => $1) LIMIT $2) RETURNING id`;
    return (await db.query(sql, [days, limit])).length;
  }

  /** Deletes what was settled more than `days` ago. @returns how many, `limit` at most */
  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM message WHERE id IN (SELECT id FROM message
      WHERE settled_at IS NOT NULL AND settled_at < now() - make_interval(days => $1) LIMIT $2) RETURNING id`;
    return (await db.query(sql, [days, limit])).length;
  }
}

function stored(row: Row): StoredMessage {
  return {
    id: row.id as MessageId,
    direction: row.direction,
    network: row.network as NetworkId,
    state: row.state,
    identity: addressFromBytes(row.identity),
    ghost: addressFromBytes(row.ghost),
    conversation: row.conversation_id as ConversationId | null,
    code: row.code,
    acceptedAt: row.accepted_at,
    settledAt: row.settled_at,
  };
}
