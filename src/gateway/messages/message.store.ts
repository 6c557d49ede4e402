import { randomUUID } from 'node:crypto';
import type { ConversationId, EthAddress, MessageId, NetworkId } from '../../common/ids.js';
import { addressBytes, addressFromBytes } from '../../delivery/addresses.js';
import type { Queryable } from '../../storage/database.js';
import { SealBrokenError } from '../../storage/errors.js';
import type { Sealer } from '../../storage/sealer.js';
import { IllegalTransitionError } from './errors.js';
import { TRANSITIONS, type MessageEvent, type MessageState, type TransitionName } from './transitions.js';

export type Direction = 'to-dm3' | 'from-dm3' | 'notice';

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
  readonly frozenAt: Date | null;
  readonly settledAt: Date | null;
  /** That it took until it was delivered or failed; 0 until then. */
  readonly attempts: number;
}

/** What happened to a message besides being accepted, frozen and delivered. */
export interface HistoryEntry {
  readonly at: Date;
  readonly event: MessageEvent;
  readonly attempt: number | null;
  readonly code: string | null;
  /** What the far side, or we, said: a sentence for a person. */
  readonly answer: string | null;
  readonly nextAt: Date | null;
}

/** What a transition leaves in the history. */
interface Note {
  readonly attempt?: number;
  readonly code?: string;
  readonly answer?: string | null;
  readonly nextAt?: Date;
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
  readonly frozen_at: Date | null;
  readonly settled_at: Date | null;
  readonly attempts: number;
}

const ANSWER_LENGTH = 1_000;

const place = (column: 'sealed_payload' | 'sealed_frozen', id: string) => ({ table: 'message', column, row: id });
const answerPlace = (id: string) => ({ table: 'message_event', column: 'sealed_answer', row: id });

/**
 * Tables `message` and `message_event`: what we are responsible for, from acceptance to its final state, and what
 * happened on the way. Content is erased at the end. States change here alone, along `TRANSITIONS`.
 */
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

  /**
   * What can still be read of a message that is to fail: one whose content does not open any more fails all the same, or
   * it would hold up those behind it for ever.
   * @returns null when it is gone; `payload` is null when nobody can be told
   */
  async loadToFail<Payload, Frozen>(
    db: Queryable,
    id: string,
  ): Promise<(StoredMessage & { readonly payload: Payload | null; readonly frozen: Frozen | null }) | null> {
    const [row] = await db.query<Row>('SELECT * FROM message WHERE id = $1', [id], 'message-load');
    if (!row) return null;
    const open = <Content>(column: 'sealed_payload' | 'sealed_frozen') =>
      row[column] && ifWhole(() => this.sealer.openJson<Content>(place(column, id), row[column]!));
    return { ...stored(row), payload: open<Payload>('sealed_payload'), frozen: open<Frozen>('sealed_frozen') };
  }

  /** Whether the dm3 user has written to the ghost, as far back as messages are kept. */
  async hasWritten(db: Queryable, identity: EthAddress, ghost: EthAddress): Promise<boolean> {
    const sql = `SELECT 1 FROM conversation c JOIN message m ON m.conversation_id = c.id
      WHERE c.identity = $1 AND c.ghost = $2 AND m.direction = 'from-dm3' LIMIT 1`;
    return (await db.query(sql, [addressBytes(identity), addressBytes(ghost)], 'message-has-written')).length > 0;
  }

  /** From here on every attempt sends the same bytes. @throws IllegalTransitionError */
  async freeze(tx: Queryable, id: MessageId, frozen: unknown, conversation: ConversationId | null): Promise<void> {
    const set = `sealed_frozen = $3, conversation_id = coalesce($4, conversation_id), frozen_at = now()`;
    const sealed = this.sealer.sealJson(place('sealed_frozen', id), frozen);
    await this.#move(tx, id, 'freeze', { set, values: [sealed, conversation] });
  }

  /** An attempt failed and will be repeated. @throws IllegalTransitionError */
  async postponed(tx: Queryable, id: MessageId, note: Note): Promise<void> {
    await this.#move(tx, id, 'postpone', { note });
  }

  /** The author was told that it still waits. @throws IllegalTransitionError */
  async delayTold(tx: Queryable, id: MessageId): Promise<void> {
    await this.#move(tx, id, 'tell-delay', { note: {} });
  }

  /**
   * Final: the content goes, ids and times stay.
   * @param end the attempt that delivered it, and why there was nothing to deliver where that is so
   * @throws IllegalTransitionError
   */
  async delivered(tx: Queryable, id: MessageId, { attempt, code = null }: { attempt: number; code?: string | null }) {
    const set = `code = $3, attempts = $4, settled_at = now(), sealed_payload = NULL, sealed_frozen = NULL`;
    await this.#move(tx, id, 'deliver', { set, values: [code, attempt] });
  }

  /** Dead letter: the content stays, so that an operator can retry, until it is purged. @throws IllegalTransitionError */
  async failed(tx: Queryable, id: MessageId, note: Note & { readonly code: string }): Promise<void> {
    const set = 'code = $3, attempts = $4, settled_at = now()';
    await this.#move(tx, id, 'fail', { set, values: [note.code, note.attempt ?? 0], note });
  }

  /** An operator's retry. @throws IllegalTransitionError */
  async reopened(tx: Queryable, id: MessageId): Promise<void> {
    await this.#move(tx, id, 'retry', { set: 'code = NULL, settled_at = NULL', note: {} });
  }

  /** An operator gave it up. @throws IllegalTransitionError */
  async discarded(tx: Queryable, id: MessageId): Promise<void> {
    await this.#move(tx, id, 'discard', { set: 'sealed_payload = NULL, sealed_frozen = NULL', note: {} });
  }

  /** Oldest first. */
  async history(db: Queryable, id: string): Promise<HistoryEntry[]> {
    const sql = `SELECT id, at, event, attempt, code, next_at AS "nextAt", sealed_answer AS sealed
      FROM message_event WHERE message_id = $1 ORDER BY at`;
    type EventRow = { [Field in keyof HistoryEntry]: HistoryEntry[Field] } & { id: string; sealed: Buffer | null };
    return (await db.query<EventRow>(sql, [id])).map(({ id: row, sealed, ...entry }) => ({
      ...entry,
      answer: sealed && this.sealer.openJson<string>(answerPlace(row), sealed),
    }));
  }

  /** Erases the content of dead letters older than `days`. @returns how many, `limit` at most */
  async eraseDead(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `UPDATE message SET sealed_payload = NULL, sealed_frozen = NULL WHERE id IN (
      SELECT id FROM message WHERE state = 'failed' AND sealed_payload IS NOT NULL
        AND settled_at < now() - make_interval(days => $1)
      ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id`;
    return (await db.query(sql, [days, limit])).length;
  }

  /** Deletes what was settled more than `days` ago. @returns how many, `limit` at most */
  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM message WHERE id IN (SELECT id FROM message
      WHERE settled_at IS NOT NULL AND settled_at < now() - make_interval(days => $1)
      ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id`;
    return (await db.query(sql, [days, limit])).length;
  }

  /** The one place where states change: a message that is somewhere else than the transition begins stays there. */
  async #move(
    tx: Queryable,
    id: MessageId,
    name: TransitionName,
    { set, values = [], note }: { set?: string; values?: readonly unknown[]; note?: Note },
  ): Promise<void> {
    const { from, to, event } = TRANSITIONS[name];
    const changes = [`state = ${nextState(to)}`, ...(set ? [set] : [])].join(', ');
    const sql = `UPDATE message SET ${changes} WHERE id = $1 AND state = ANY ($2) RETURNING id`;
    const moved = await tx.query(sql, [id, from, ...values], `message-${name}`);
    if (moved.length === 0) throw new IllegalTransitionError({ transition: name });
    if (event) await this.#note(tx, id, event, note ?? {});
  }

  async #note(tx: Queryable, message: MessageId, event: MessageEvent, note: Note): Promise<void> {
    const { attempt = null, code = null, answer, nextAt = null } = note;
    const id = randomUUID();
    const sealed = answer ? this.sealer.sealJson(answerPlace(id), answer.slice(0, ANSWER_LENGTH)) : null;
    const sql = `INSERT INTO message_event (id, message_id, event, attempt, code, next_at, sealed_answer)
      VALUES ($1, $2, $3, $4, $5, $6, $7)`;
    await tx.query(sql, [id, message, event, attempt, code, nextAt, sealed], 'message-note');
  }
}

/** Whether what a message carries could be opened. */
export function isReadable<Message extends { readonly payload: unknown }>(
  message: Message,
): message is Message & { readonly payload: NonNullable<Message['payload']> } {
  return message.payload !== null;
}

function ifWhole<Content>(open: () => Content): Content | null {
  try {
    return open();
  } catch (error) {
    if (error instanceof SealBrokenError) return null;
    throw error;
  }
}

function nextState([state, ifFrozen]: readonly MessageState[]): string {
  if (!state) return 'state';
  return ifFrozen ? `CASE WHEN sealed_frozen IS NULL THEN '${state}' ELSE '${ifFrozen}' END` : `'${state}'`;
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
    frozenAt: row.frozen_at,
    settledAt: row.settled_at,
    attempts: row.attempts,
  };
}
