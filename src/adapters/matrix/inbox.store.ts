import { randomBytes, randomUUID } from 'node:crypto';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { bringsFile, type MatrixEvent } from './event.js';

export interface InboxItem {
  readonly id: string;
  /** Tells senders apart whose events bring files, which take their time; null for all other events. */
  readonly fileKey: string | null;
  /** @throws SealBrokenError; StorageKeyMissingError (retry) */
  open(): MatrixEvent;
  /** Attempts that ended so far. */
  readonly attempts: number;
  readonly receivedAt: Date;
}

/** What of the files is passed over for now. */
export interface FilePass {
  /** `InboxItem.fileKey` of those who have as many under way as they may. */
  readonly except: readonly string[];
  readonly none: boolean;
}

interface Row {
  readonly id: string;
  readonly file_key: Buffer | null;
  readonly sealed_event: Buffer;
  readonly attempts: number;
  readonly received_at: Date;
}

/** What cannot be opened is of no use to anybody. */
const UNREADABLE = 'SEAL_BROKEN';

/** Of those in which something waits that was not tried yet. */
const ROOMS_LOOKED_AT = 200;
const KEY_BYTES = 32;

const ALL_FILES: FilePass = { except: [], none: false };

const place = (id: string) => ({ table: 'matrix_inbox', column: 'sealed_event', row: id });

/**
 * Table `matrix_inbox`: what the homeserver brought, from the moment it has its answer. Settled rows lose the event
 * and stay for a while, so that it is handled once however often it comes; of what failed for good it is kept, too, so
 * that an operator can have it tried again (`inbox-care.ts`).
 */
export class InboxStore {
  constructor(private readonly sealer: Sealer) {}

  /** All or none, in their order: one statement is its own transaction. @returns how many of them are new */
  async add(db: Queryable, events: readonly MatrixEvent[]): Promise<number> {
    const ids = events.map(() => randomUUID());
    const eventKeys = events.map(({ event_id: id }) => this.sealer.keyedHash('matrix inbox', id));
    const roomKeys = events.map(({ room_id: id }) => this.#roomKey(id));
    const sealed = events.map((event, index) => this.sealer.sealJson(place(ids[index]!), event));
    const fileKeys = events.map((event) => (bringsFile(event) ? this.#senderKey(event) : null));
    const sql = `INSERT INTO matrix_inbox (id, event_key, room_key, sealed_event, file_key)
      SELECT id, event_key, room_key, sealed_event, file_key
      FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[])
        WITH ORDINALITY AS event (id, event_key, room_key, sealed_event, file_key, place)
      ORDER BY place ON CONFLICT (event_key) DO NOTHING RETURNING id`;
    return (await db.query(sql, [ids, eventKeys, roomKeys, sealed, fileKeys], 'matrix-inbox-add')).length;
  }

  /** Those of the rooms in which something waits to be handled. */
  async busyRooms(db: Queryable, roomIds: readonly string[]): Promise<string[]> {
    const keys = roomIds.map((id) => this.#roomKey(id));
    const sql = `SELECT place::int FROM unnest($1::bytea[]) WITH ORDINALITY AS room (room_key, place)
      WHERE EXISTS (SELECT FROM matrix_inbox i WHERE i.state = 'waiting' AND i.room_key = room.room_key)`;
    const rows = await db.query<{ place: number }>(sql, [keys], 'matrix-inbox-busy');
    return rows.map(({ place: at }) => roomIds[at - 1]!);
  }

  /**
   * The oldest waiting event of each room that is due, leased: rooms go on side by side, each in its own order. What was
   * tried before lets others go first. It costs the same however many events a room has waiting: of each room one is
   * looked at, of `ROOMS_LOOKED_AT` rooms, beginning anywhere.
   */
  async claim(db: Queryable, limit: number, leaseSeconds: number, files: FilePass = ALL_FILES): Promise<InboxItem[]> {
    const sql = `WITH RECURSIVE ${walk('beyond', '$5')}, ${walk('before', "''")}, candidate AS MATERIALIZED (
        SELECT * FROM (SELECT id FROM beyond LIMIT ${ROOMS_LOOKED_AT}) b
        UNION SELECT * FROM (SELECT id FROM before LIMIT ${ROOMS_LOOKED_AT}) a
        UNION SELECT * FROM (SELECT id FROM matrix_inbox WHERE state = 'waiting' AND attempts > 0 AND next_at <= now()
          ORDER BY next_at LIMIT ${ROOMS_LOOKED_AT}) repeated
      ), chosen AS (
        SELECT i.id FROM candidate JOIN matrix_inbox i USING (id)
        WHERE i.state = 'waiting' AND i.next_at <= now() AND i.lease_until < now()
          AND i.position = (SELECT min(position) FROM matrix_inbox f
            WHERE f.state = 'waiting' AND f.room_key = i.room_key)
          AND (i.file_key IS NULL OR NOT $3 AND i.file_key <> ALL ($4::bytea[]))
        ORDER BY i.attempts > 0, i.position LIMIT $1 FOR UPDATE OF i SKIP LOCKED
      ) UPDATE matrix_inbox i SET lease_until = now() + make_interval(secs => $2) FROM chosen WHERE i.id = chosen.id
      RETURNING i.id, file_key, sealed_event, attempts, received_at`;
    const except = files.except.map((key) => Buffer.from(key, 'hex'));
    const values = [limit, leaseSeconds, files.none, except, randomBytes(KEY_BYTES)];
    const rows = await db.query<Row>(sql, values, 'matrix-inbox-claim');
    return rows.map(({ id, file_key, sealed_event, attempts, received_at }) => ({
      id,
      fileKey: file_key && file_key.toString('hex'),
      open: () => this.sealer.openJson<MatrixEvent>(place(id), sealed_event),
      attempts,
      receivedAt: received_at,
    }));
  }

  /** How many wait, counted no further than to `limit`. */
  async waiting(db: Queryable, limit: number): Promise<number> {
    const sql = `SELECT count(*)::int AS count FROM (SELECT FROM matrix_inbox WHERE state = 'waiting' LIMIT $1) waiting`;
    return (await db.query<{ count: number }>(sql, [limit], 'matrix-inbox-waiting'))[0]!.count;
  }

  /** Gives back what was claimed and not begun. */
  async release(db: Queryable, ids: readonly string[]): Promise<void> {
    const sql = "UPDATE matrix_inbox SET lease_until = '-infinity' WHERE id = ANY ($1::uuid[]) AND state = 'waiting'";
    await db.query(sql, [ids]);
  }

  async renew(db: Queryable, ids: readonly string[], leaseSeconds: number): Promise<void> {
    const sql = `UPDATE matrix_inbox SET lease_until = now() + make_interval(secs => $2)
      WHERE id = ANY ($1::uuid[]) AND state = 'waiting'`;
    await db.query(sql, [ids, leaseSeconds]);
  }

  /** @param code of what failed for good; null where nothing did */
  async settle(db: Queryable, id: string, code: string | null): Promise<void> {
    const done = `UPDATE matrix_inbox SET state = 'done', code = NULL, sealed_event = NULL, file_key = NULL,
      settled_at = now() WHERE id = $1`;
    const failed = `UPDATE matrix_inbox SET state = 'failed', code = $2, attempts = attempts + 1, settled_at = now(),
      sealed_event = CASE WHEN $2 <> '${UNREADABLE}' THEN sealed_event END WHERE id = $1`;
    if (code === null) await db.query(done, [id], 'matrix-inbox-settle');
    else await db.query(failed, [id, code]);
  }

  async postpone(db: Queryable, id: string, code: string, seconds: number): Promise<void> {
    const sql = `UPDATE matrix_inbox SET attempts = attempts + 1, code = $2, lease_until = '-infinity',
      next_at = now() + make_interval(secs => $3) WHERE id = $1 AND state = 'waiting'`;
    await db.query(sql, [id, code, seconds]);
  }

  /** Erases what failed for good more than `days` ago. @returns how many, `limit` at most */
  async eraseFailed(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `UPDATE matrix_inbox SET sealed_event = NULL WHERE id IN (SELECT id FROM matrix_inbox
      WHERE state = 'failed' AND sealed_event IS NOT NULL AND settled_at < now() - make_interval(days => $1) LIMIT $2)
      RETURNING id`;
    return (await db.query(sql, [days, limit])).length;
  }

  /** Deletes what was settled more than `days` ago. @returns how many, `limit` at most */
  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM matrix_inbox WHERE id IN (SELECT id FROM matrix_inbox
      WHERE settled_at < now() - make_interval(days => $1) LIMIT $2) RETURNING id`;
    return (await db.query(sql, [days, limit])).length;
  }

  #roomKey(roomId: string): Buffer {
    return this.sealer.keyedHash('matrix inbox room', roomId);
  }

  #senderKey({ sender }: MatrixEvent): Buffer {
    return this.sealer.keyedHash('matrix inbox sender', sender);
  }
}

/** SQL that goes from room to room by the index, and names the first event of each that was not tried yet. */
function walk(name: string, from: string): string {
  const first = (condition: string) => `SELECT i.id, i.room_key FROM matrix_inbox i
    WHERE i.state = 'waiting' AND i.attempts = 0 AND ${condition} ORDER BY i.room_key, i.position LIMIT 1`;
  return `${name} AS ((${first(`i.room_key >= ${from}::bytea`)}) UNION ALL
    SELECT next.* FROM ${name} CROSS JOIN LATERAL (${first(`i.room_key > ${name}.room_key`)}) next)`;
}
