import { randomUUID } from 'node:crypto';
import type { ForeignAddress } from '../../../common/ids.js';
import type { Queryable } from '../../../storage/database.js';
import type { Sealer } from '../../../storage/sealer.js';

/**
 * - `closing`: its members are being told; nobody joins or speaks any more
 * - `closed`: it was bridged once; its name waits for it to be bridged again
 */
export type PortalState = 'open' | 'closing' | 'closed';

/** A Matrix room that people of dm3 take part in. */
export interface Portal {
  readonly id: string;
  readonly state: PortalState;
  readonly roomId: string;
  /** What its dm3 name stands for: fixed when the room is bridged first, whatever its aliases do later. */
  readonly address: ForeignAddress;
  /** How people call it: `#dev:hs.org`, or its id. */
  readonly shown: string;
}

interface Row {
  readonly id: string;
  readonly state: PortalState;
  readonly sealed_portal: Buffer;
}

type Sealed = Pick<Portal, 'roomId' | 'address' | 'shown'>;

const COLUMNS = 'id, state, sealed_portal';
const place = (id: string) => ({ table: 'matrix_portal', column: 'sealed_portal', row: id });

/** Table `matrix_portal`. A row is never deleted: a name that stood for one room must not come to stand for another. */
export class PortalStore {
  constructor(private readonly sealer: Sealer) {}

  /** @returns null if the address is another room's */
  async add(db: Queryable, sealed: Sealed): Promise<Portal | null> {
    const id = randomUUID();
    const sql = `INSERT INTO matrix_portal (id, room_key, address_key, state, sealed_portal)
      VALUES ($1, $2, $3, 'closed', $4) ON CONFLICT DO NOTHING RETURNING id`;
    const keys = [this.#roomKey(sealed.roomId), this.#addressKey(sealed.address)];
    const [row] = await db.query(sql, [id, ...keys, this.sealer.sealJson(place(id), sealed)]);
    return row ? { id, state: 'closed', ...sealed } : null;
  }

  async find(db: Queryable, roomId: string): Promise<Portal | null> {
    const sql = `SELECT ${COLUMNS} FROM matrix_portal WHERE room_key = $1`;
    return this.#open(await db.query<Row>(sql, [this.#roomKey(roomId)], 'matrix-portal-find'));
  }

  /** The same for rooms that it was before they were upgraded. */
  async ofRoom(db: Queryable, roomId: string): Promise<Portal | null> {
    const sql = `SELECT ${COLUMNS} FROM matrix_portal WHERE id = coalesce(
      (SELECT id FROM matrix_portal WHERE room_key = $1),
      (SELECT portal_id FROM matrix_former_room WHERE room_key = $1))`;
    return this.#open(await db.query<Row>(sql, [this.#roomKey(roomId)], 'matrix-portal-of-room'));
  }

  async byAddress(db: Queryable, address: ForeignAddress): Promise<Portal | null> {
    const sql = `SELECT ${COLUMNS} FROM matrix_portal WHERE address_key = $1`;
    return this.#open(await db.query<Row>(sql, [this.#addressKey(address)], 'matrix-portal-by-address'));
  }

  async byId(db: Queryable, id: string): Promise<Portal | null> {
    return this.#open(await db.query<Row>(`SELECT ${COLUMNS} FROM matrix_portal WHERE id = $1`, [id]));
  }

  async setState(db: Queryable, { id }: Portal, state: PortalState): Promise<void> {
    await db.query('UPDATE matrix_portal SET state = $2 WHERE id = $1', [id, state]);
  }

  /** The room was upgraded: the portal goes on in another one. @returns null if that is bridged already */
  async move(db: Queryable, portal: Portal, roomId: string): Promise<Portal | null> {
    const { address, shown } = portal;
    const sql = `WITH moved AS (UPDATE matrix_portal SET room_key = $2, sealed_portal = $3 WHERE id = $1
        AND NOT EXISTS (SELECT FROM matrix_portal WHERE room_key = $2 AND id <> $1)
        AND NOT EXISTS (SELECT FROM matrix_room WHERE room_key = $4 AND state NOT IN ('closed', 'declined'))
        RETURNING id),
      former AS (INSERT INTO matrix_former_room (room_key, portal_id) SELECT $5, id FROM moved
        ON CONFLICT (room_key) DO UPDATE SET portal_id = excluded.portal_id)
      SELECT id FROM moved`;
    const sealed = this.sealer.sealJson(place(portal.id), { roomId, address, shown });
    const chatKey = this.sealer.keyedHash('matrix room', roomId);
    const values = [portal.id, this.#roomKey(roomId), sealed, chatKey, this.#roomKey(portal.roomId)];
    const [row] = await db.query(sql, values);
    return row ? { ...portal, roomId } : null;
  }

  #open([row]: readonly Row[]): Portal | null {
    if (!row) return null;
    const { id, state, sealed_portal } = row;
    return { id, state, ...this.sealer.openJson<Sealed>(place(id), sealed_portal) };
  }

  #roomKey(roomId: string): Buffer {
    return this.sealer.keyedHash('matrix portal', roomId);
  }

  #addressKey(address: ForeignAddress): Buffer {
    return this.sealer.keyedHash('matrix portal address', address);
  }
}
