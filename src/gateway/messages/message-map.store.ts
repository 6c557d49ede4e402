import { randomUUID } from 'node:crypto';
import type { ConversationId, EthAddress, Hash, NetworkId, RemoteId } from '../../common/ids.js';
import { addressBytes, addressFromBytes } from '../../delivery/addresses.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';

/** One message under the ids both sides know it by. */
export interface MappedIds {
  /** sha256 of the plain message; what the newest clients refer to. */
  readonly messageHash: Hash;
  /** sha256 of the encrypted message; what older clients refer to. */
  readonly encryptedMessageHash: Hash;
  /** The one of the two that the envelope carried: references to the message use it. */
  readonly referredBy: Hash;
  readonly remoteId: RemoteId;
}

export interface MappedMessage extends MappedIds {
  readonly owner: EthAddress;
  readonly conversation: ConversationId;
}

interface Row {
  readonly id: string;
  readonly owner: Buffer;
  readonly sealed_ids: Buffer;
  readonly conversation_id: string;
}

const COLUMNS = 'id, owner, sealed_ids, conversation_id';
const place = (id: string) => ({ table: 'message_map', column: 'sealed_ids', row: id });

/** Table `message_map`: dm3 hashes <-> foreign ids, by owner (the dm3 identity), found by keyed hashes. */
export class MessageMapStore {
  constructor(private readonly sealer: Sealer) {}

  /** The same message again changes nothing; somebody else's message under an id that is taken changes nothing either. */
  async add(
    tx: Queryable,
    entry: { owner: EthAddress; network: NetworkId; conversation: ConversationId; ids: MappedIds },
  ): Promise<void> {
    const id = randomUUID();
    const { owner, network, ids } = entry;
    const sql = `INSERT INTO message_map
      (id, owner, message_key, encrypted_key, remote_key, sealed_ids, conversation_id)
      VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (remote_key, owner) DO UPDATE
      SET message_key = excluded.message_key, encrypted_key = excluded.encrypted_key, sealed_ids = excluded.sealed_ids,
        id = excluded.id
      WHERE message_map.conversation_id = excluded.conversation_id`;
    const values = [
      id,
      addressBytes(owner),
      this.#hashKey(ids.messageHash),
      this.#hashKey(ids.encryptedMessageHash),
      this.#remoteKey(network, ids.remoteId),
      this.sealer.sealJson(place(id), ids),
      entry.conversation,
    ];
    await tx.query(sql, values, 'map-add');
  }

  async byRemote(
    db: Queryable,
    owner: EthAddress,
    network: NetworkId,
    remoteId: RemoteId,
  ): Promise<MappedMessage | null> {
    const sql = `SELECT ${COLUMNS} FROM message_map WHERE remote_key = $1 AND owner = $2`;
    return this.#open(
      await db.query<Row>(sql, [this.#remoteKey(network, remoteId), addressBytes(owner)], 'map-by-remote'),
    );
  }

  /** For reports about ids that we gave out ourselves: those are unique to one owner. */
  async byOwnRemote(db: Queryable, network: NetworkId, remoteId: RemoteId): Promise<MappedMessage | null> {
    const sql = `SELECT ${COLUMNS} FROM message_map WHERE remote_key = $1 LIMIT 1`;
    return this.#open(await db.query<Row>(sql, [this.#remoteKey(network, remoteId)]));
  }

  /** By either hash: clients differ in which one they refer to. */
  async byHash(db: Queryable, owner: EthAddress, hash: Hash): Promise<MappedMessage | null> {
    const sql = `SELECT ${COLUMNS} FROM message_map WHERE owner = $1 AND message_key = $2
      UNION ALL SELECT ${COLUMNS} FROM message_map WHERE owner = $1 AND encrypted_key = $2 LIMIT 1`;
    return this.#open(await db.query<Row>(sql, [addressBytes(owner), this.#hashKey(hash)], 'map-by-hash'));
  }

  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM message_map WHERE id IN (
      SELECT id FROM message_map WHERE created_at < now() - make_interval(days => $1)
      ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id`;
    return (await db.query(sql, [days, limit])).length;
  }

  #hashKey(hash: Hash): Buffer {
    return this.sealer.keyedHash('mapped hash', hash.toLowerCase());
  }

  #remoteKey(network: NetworkId, remoteId: RemoteId): Buffer {
    return this.sealer.keyedHash('mapped remote id', network, remoteId);
  }

  #open([row]: readonly Row[]): MappedMessage | null {
    if (!row) return null;
    const ids = this.sealer.openJson<MappedIds>(place(row.id), row.sealed_ids);
    return { ...ids, owner: addressFromBytes(row.owner), conversation: row.conversation_id as ConversationId };
  }
}
