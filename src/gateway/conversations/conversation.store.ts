import { randomUUID } from 'node:crypto';
import type { ConversationId, EnsName, EthAddress } from '../../common/ids.js';
import { addressBytes, addressFromBytes } from '../../delivery/addresses.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import type { AdapterContext } from '../adapter/adapter.js';

/** A foreign thread, room or topic between one dm3 identity and one ghost; it decides where a reply goes. */
export interface Conversation {
  readonly id: ConversationId;
  readonly context: AdapterContext | null;
  /** How the dm3 identity is called towards the foreign side; kept, so that its From address does not flap. */
  readonly shownName: EnsName | null;
}

export interface Parties {
  readonly identity: EthAddress;
  readonly ghost: EthAddress;
}

interface Row {
  readonly id: string;
  readonly sealed_context: Buffer | null;
  readonly sealed_shown_name: Buffer | null;
}

const COLUMNS = 'id, sealed_context, sealed_shown_name';
const context = (id: string) => ({ table: 'conversation', column: 'sealed_context', row: id });
const shownName = (id: string) => ({ table: 'conversation', column: 'sealed_shown_name', row: id });

/** Table `conversation`. Everything belongs to addresses: a name that moves takes no conversation along. */
export class ConversationStore {
  constructor(private readonly sealer: Sealer) {}

  async open(tx: Queryable, { identity, ghost }: Parties): Promise<Conversation> {
    const id = randomUUID() as ConversationId;
    const sql = 'INSERT INTO conversation (id, identity, ghost) VALUES ($1, $2, $3)';
    await tx.query(sql, [id, addressBytes(identity), addressBytes(ghost)], 'conversation-open');
    return { id, context: null, shownName: null };
  }

  /** Only for the two it belongs to: a token or hash of somebody else's conversation leads nowhere. */
  async find(db: Queryable, id: ConversationId, { identity, ghost }: Parties): Promise<Conversation | null> {
    const sql = `SELECT ${COLUMNS} FROM conversation WHERE id = $1 AND identity = $2 AND ghost = $3`;
    return this.#open(await db.query<Row>(sql, [id, addressBytes(identity), addressBytes(ghost)], 'conversation-find'));
  }

  async latest(db: Queryable, { identity, ghost }: Parties, days: number): Promise<Conversation | null> {
    const sql = `SELECT ${COLUMNS} FROM conversation WHERE identity = $1 AND ghost = $2
      AND used_at > now() - make_interval(days => $3) ORDER BY used_at DESC LIMIT 1`;
    return this.#open(
      await db.query<Row>(sql, [addressBytes(identity), addressBytes(ghost), days], 'conversation-latest'),
    );
  }

  /** Whose conversation it is, and how the dm3 identity is called in it. */
  async between(db: Queryable, id: ConversationId): Promise<(Parties & { shownName: EnsName | null }) | null> {
    const sql = `SELECT ${COLUMNS}, identity, ghost FROM conversation WHERE id = $1`;
    const [row] = await db.query<Row & { identity: Buffer; ghost: Buffer }>(sql, [id]);
    if (!row) return null;
    const { shownName } = this.#open([row])!;
    return { identity: addressFromBytes(row.identity), ghost: addressFromBytes(row.ghost), shownName };
  }

  /** The name the identity was last called by towards this ghost, in whatever conversation. */
  async lastShownName(db: Queryable, { identity, ghost }: Parties): Promise<EnsName | null> {
    const sql = `SELECT ${COLUMNS} FROM conversation WHERE identity = $1 AND ghost = $2
      AND sealed_shown_name IS NOT NULL ORDER BY used_at DESC LIMIT 1`;
    return this.#open(await db.query<Row>(sql, [addressBytes(identity), addressBytes(ghost)]))?.shownName ?? null;
  }

  /** Notes what the adapter wants to see again, and that the conversation goes on. */
  async touch(
    tx: Queryable,
    id: ConversationId,
    update: { context: AdapterContext; shownName: EnsName | null },
  ): Promise<void> {
    const sql = `UPDATE conversation SET sealed_context = $2, sealed_shown_name = coalesce($3, sealed_shown_name),
      used_at = now() WHERE id = $1`;
    const name = update.shownName && this.sealer.seal(shownName(id), Buffer.from(update.shownName));
    await tx.query(sql, [id, this.sealer.sealJson(context(id), update.context), name], 'conversation-touch');
  }

  /**
   * Deletes what rested for `days` and nothing refers to any more. `OFFSET 0` has PostgreSQL look up one conversation
   * after the other, where it would rather read all messages to find a few without any.
   * @returns how many, `limit` at most
   */
  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM conversation WHERE id IN (
      SELECT id FROM conversation c WHERE used_at < now() - make_interval(days => $1)
        AND NOT EXISTS (SELECT FROM message_map WHERE conversation_id = c.id OFFSET 0)
        AND NOT EXISTS (SELECT FROM message WHERE conversation_id = c.id OFFSET 0)
      ORDER BY used_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id`;
    return (await db.query(sql, [days, limit])).length;
  }

  #open([row]: readonly Row[]): Conversation | null {
    if (!row) return null;
    const { id, sealed_context, sealed_shown_name } = row;
    const name = sealed_shown_name && Buffer.from(this.sealer.open(shownName(id), sealed_shown_name)).toString();
    return {
      id: id as ConversationId,
      context: sealed_context && this.sealer.openJson<AdapterContext>(context(id), sealed_context),
      shownName: name as EnsName | null,
    };
  }
}
