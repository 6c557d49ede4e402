import { randomUUID } from 'node:crypto';
import type { EnsName, EthAddress } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';

/**
 * - `making`: about to be made by us; there may be a room on the homeserver that we do not know of yet
 * - `joining`: a person has invited the ghost, who is about to be there
 * - `invited`: we wait for the person on Matrix
 * - `open`
 * - `left`: the person has left after having been there
 * - `declined`: the person refused the invitation, or removed the ghost
 * - `closed`: the ghost has left, or cannot follow what is said there (encryption)
 */
export type RoomState = 'making' | 'joining' | 'invited' | 'open' | 'left' | 'declined' | 'closed';

/** A direct chat between a person on Matrix and the ghost of a dm3 identity. */
export interface Room {
  readonly id: string;
  readonly state: RoomState;
  readonly toldEncrypted: boolean;
  /** Null while it is being made. */
  readonly roomId: string | null;
  readonly ghost: string;
  /** The dm3 side: the name the ghost stands for, and the address it belonged to when the chat began. */
  readonly name: EnsName;
  readonly identity: EthAddress;
  readonly user: string;
}

type Sealed = Pick<Room, 'roomId' | 'ghost' | 'name' | 'identity' | 'user'>;

export type Pair = Pick<Room, 'identity' | 'user'>;

interface Row {
  readonly id: string;
  readonly state: RoomState;
  readonly told_encrypted: boolean;
  readonly sealed_room: Buffer;
}

const COLUMNS = 'id, state, told_encrypted, sealed_room';
const place = (id: string) => ({ table: 'matrix_room', column: 'sealed_room', row: id });

/** Table `matrix_room`. A room belongs to an address: a name that moves takes no chat along. */
export class RoomStore {
  constructor(private readonly sealer: Sealer) {}

  async add(db: Queryable, room: Omit<Room, 'id' | 'toldEncrypted'>): Promise<Room> {
    const id = randomUUID();
    const sql = `INSERT INTO matrix_room (id, room_key, pair_key, state, sealed_room, user_key)
      VALUES ($1, $2, $3, $4, $5, $6)`;
    const { state, ...sealed } = room;
    const roomKey = room.roomId === null ? null : this.#roomKey(room.roomId);
    const userKey = state === 'making' ? this.#userKey(room.user) : null;
    await db.query(sql, [id, roomKey, this.#pairKey(room), state, this.#seal(id, sealed), userKey]);
    return { ...room, id, toldEncrypted: false };
  }

  async find(db: Queryable, roomId: string): Promise<Room | null> {
    const sql = `SELECT ${COLUMNS} FROM matrix_room WHERE room_key = $1`;
    return this.#open(await db.query<Row>(sql, [this.#roomKey(roomId)], 'matrix-room-find'));
  }

  /** The chat of these two that was used last, whatever became of it but for those that are closed. */
  async latest(db: Queryable, pair: Pair): Promise<Room | null> {
    const sql = `SELECT ${COLUMNS} FROM matrix_room WHERE pair_key = $1 AND state <> 'closed'
      ORDER BY used_at DESC, created_at DESC LIMIT 1`;
    return this.#open(await db.query<Row>(sql, [this.#pairKey(pair)], 'matrix-room-latest'));
  }

  /** Those that are about to be made for one of these: few, and not for long. Older rows may be anybody's. */
  async making(db: Queryable, users: readonly string[]): Promise<Room[]> {
    const sql = `SELECT ${COLUMNS} FROM matrix_room
      WHERE state = 'making' AND (user_key = ANY ($1::bytea[]) OR user_key IS NULL)`;
    const rows = await db.query<Row>(sql, [users.map((user) => this.#userKey(user))], 'matrix-room-making');
    return rows.map((row) => this.#open([row])!).filter(({ user }) => users.includes(user));
  }

  /** What was begun more than `days` ago comes to nothing: nobody tries it any more. @returns how many, `limit` at most */
  async giveUp(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `UPDATE matrix_room SET state = 'closed', user_key = NULL WHERE id IN (SELECT id FROM matrix_room
      WHERE state = 'making' AND created_at < now() - make_interval(days => $1) LIMIT $2) RETURNING 1`;
    return (await db.query(sql, [days, limit])).length;
  }

  async settle(db: Queryable, room: Room, change: Partial<Sealed> & { state: RoomState }): Promise<Room> {
    const { state, ...changed } = change;
    const { roomId, ghost, name, identity, user } = { ...room, ...changed };
    const sql = `UPDATE matrix_room SET state = $2, room_key = $3, pair_key = $4, sealed_room = $5, used_at = now(),
      user_key = CASE WHEN $2 = 'making' THEN user_key END WHERE id = $1`;
    const roomKey = roomId === null ? null : this.#roomKey(roomId);
    const sealed = { roomId, ghost, name, identity, user };
    await db.query(sql, [room.id, state, roomKey, this.#pairKey({ identity, user }), this.#seal(room.id, sealed)]);
    return { ...room, ...sealed, state };
  }

  async touch(db: Queryable, { id }: Room): Promise<void> {
    await db.query('UPDATE matrix_room SET used_at = now() WHERE id = $1', [id], 'matrix-room-touch');
  }

  async tellEncrypted(db: Queryable, { id }: Room): Promise<void> {
    await db.query('UPDATE matrix_room SET told_encrypted = true WHERE id = $1', [id]);
  }

  #seal(id: string, sealed: Sealed): Buffer {
    return this.sealer.sealJson(place(id), sealed);
  }

  #open([row]: readonly Row[]): Room | null {
    if (!row) return null;
    const sealed = this.sealer.openJson<Sealed>(place(row.id), row.sealed_room);
    return { id: row.id, state: row.state, toldEncrypted: row.told_encrypted, ...sealed };
  }

  #roomKey(roomId: string): Buffer {
    return this.sealer.keyedHash('matrix room', roomId);
  }

  #userKey(user: string): Buffer {
    return this.sealer.keyedHash('matrix room user', user);
  }

  #pairKey({ identity, user }: Pair): Buffer {
    return this.sealer.keyedHash('matrix pair', identity, user);
  }
}
