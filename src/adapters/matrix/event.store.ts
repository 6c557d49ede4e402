import type { RemoteId } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { partId, readPartId, type PartId } from './part-id.js';

interface Row {
  readonly event_key: Buffer;
  readonly sealed_event_id: Buffer;
}

/** Sealed: with the event's id, the id that we had given the part before the homeserver gave its own. */
interface Ids {
  readonly eventId: string;
  readonly part: PartId | null;
}

const place = (key: Buffer) => ({ table: 'matrix_event', column: 'sealed_event_id', row: key.toString('hex') });

/** Table `matrix_event`: who wrote an event, and which parts of our messages became which events. */
export class EventStore {
  constructor(private readonly sealer: Sealer) {}

  /** An event that somebody on Matrix wrote. */
  async addReceived(db: Queryable, eventId: string, author: string): Promise<void> {
    await this.#add(db, { eventId, part: null }, author);
  }

  /** An event that stands for a part of a message of ours. */
  async addSent(db: Queryable, eventId: string, author: string, part: PartId): Promise<void> {
    await this.#add(db, { eventId, part }, author);
  }

  /** True if he wrote it, false if somebody else did, null if the event never crossed. */
  async isBy(db: Queryable, eventId: string, author: string): Promise<boolean | null> {
    const sql = 'SELECT author_key FROM matrix_event WHERE event_key = $1';
    const [row] = await db.query<{ author_key: Buffer }>(sql, [this.#eventKey(eventId)], 'matrix-event-author');
    return row ? row.author_key.equals(this.#authorKey(author)) : null;
  }

  /** The id by which the core knows an event: ours where we sent it. */
  async remoteIdOf(db: Queryable, eventId: string): Promise<RemoteId> {
    const sql = 'SELECT event_key, sealed_event_id FROM matrix_event WHERE event_key = $1';
    const [row] = await db.query<Row>(sql, [this.#eventKey(eventId)], 'matrix-event-find');
    const part = row ? this.#open(row).part : null;
    return (part ? partId(part) : eventId) as RemoteId;
  }

  /** The events that an id of the core stands for, the main part first; none if it was never sent. */
  async eventsOf(db: Queryable, remoteId: RemoteId): Promise<string[]> {
    const part = readPartId(remoteId);
    if (!part) return [remoteId];
    const sql = 'SELECT event_key, sealed_event_id FROM matrix_event WHERE message_key = $1 ORDER BY part';
    const rows = await db.query<Row>(sql, [this.#messageKey(part)], 'matrix-event-parts');
    return rows.map((row) => this.#open(row).eventId);
  }

  /** Deletes what is older than `days`. @returns how many, `limit` at most */
  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM matrix_event WHERE event_key IN (SELECT event_key FROM matrix_event
      WHERE created_at < now() - make_interval(days => $1) LIMIT $2) RETURNING 1`;
    return (await db.query(sql, [days, limit])).length;
  }

  async #add(db: Queryable, ids: Ids, author: string): Promise<void> {
    const key = this.#eventKey(ids.eventId);
    const sql = `INSERT INTO matrix_event (event_key, author_key, message_key, part, sealed_event_id)
      VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`;
    const message = ids.part && this.#messageKey(ids.part);
    const values = [key, this.#authorKey(author), message, ids.part?.index, this.sealer.sealJson(place(key), ids)];
    await db.query(sql, values, 'matrix-event-add');
  }

  #open({ event_key, sealed_event_id }: Row): Ids {
    return this.sealer.openJson<Ids>(place(event_key), sealed_event_id);
  }

  #eventKey(eventId: string): Buffer {
    return this.sealer.keyedHash('matrix event', eventId);
  }

  #messageKey({ message }: PartId): Buffer {
    return this.sealer.keyedHash('matrix message', message);
  }

  #authorKey(author: string): Buffer {
    return this.sealer.keyedHash('matrix author', author);
  }
}
