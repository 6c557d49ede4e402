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
  /** Of an event that only changes another one: the message that is changed. */
  readonly root?: string;
  /** `fileDigest`; null for a text. Older rows do not say. */
  readonly file?: string | null;
}

/** Where an event belongs, if not to the message that it is a part of. */
export interface Listing {
  /** A part that an edit has added to this message. */
  readonly under?: PartId;
  readonly root?: string;
  readonly file?: string | null;
}

/** What stands on Matrix of a message, as edits have left it. */
export interface Standing {
  /** `PartId.message` of the one that was said first: edits of edits change that one. */
  readonly message: string;
  readonly events: readonly StandingEvent[];
}

export interface StandingEvent {
  readonly eventId: string;
  /** Part of the message, or of the edit that has added it. */
  readonly part: PartId;
  /** Its place among the others. */
  readonly place: number;
  /** As in `Listing`; undefined where nobody noted it. */
  readonly file: string | null | undefined;
}

export const NOTHING_SAID: Standing = { message: '', events: [] };

const place = (key: Buffer) => ({ table: 'matrix_event', column: 'sealed_event_id', row: key.toString('hex') });

/** Table `matrix_event`: who wrote an event, and which parts of our messages became which events. */
export class EventStore {
  constructor(private readonly sealer: Sealer) {}

  /** An event that somebody on Matrix wrote. */
  async addReceived(db: Queryable, eventId: string, author: string): Promise<void> {
    await this.#add(db, { eventId, part: null }, author);
  }

  /** An event that stands for a part of a message of ours. */
  async addSent(
    db: Queryable,
    eventId: string,
    author: string,
    part: PartId,
    { under = part, ...ids }: Listing = {},
  ): Promise<void> {
    await this.#add(db, { eventId, part, ...ids }, author, under);
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
    if (!readPartId(remoteId)) return [remoteId];
    return (await this.standing(db, remoteId)).events.map(({ eventId }) => eventId);
  }

  /** What stands of a message of ours, named by itself or by an edit of it. */
  async standing(db: Queryable, remoteId: RemoteId): Promise<Standing> {
    const part = readPartId(remoteId);
    if (!part) return NOTHING_SAID;
    const found = await this.#listed(db, part.message);
    const root = found.find((event) => event.root !== undefined)?.root;
    if (root === undefined) return { message: part.message, events: found };
    return { message: root, events: await this.#listed(db, root) };
  }

  /** It was taken out of its message; whoever deletes it once more is still known to be its author. */
  async unlist(db: Queryable, eventId: string): Promise<void> {
    const sql = 'UPDATE matrix_event SET message_key = NULL, part = NULL WHERE event_key = $1';
    await db.query(sql, [this.#eventKey(eventId)]);
  }

  /** Deletes what is older than `days`. @returns how many, `limit` at most */
  async purge(db: Queryable, days: number, limit: number): Promise<number> {
    const sql = `DELETE FROM matrix_event WHERE event_key IN (SELECT event_key FROM matrix_event
      WHERE created_at < now() - make_interval(days => $1) LIMIT $2) RETURNING 1`;
    return (await db.query(sql, [days, limit])).length;
  }

  async #listed(db: Queryable, message: string): Promise<(StandingEvent & Pick<Ids, 'root'>)[]> {
    const sql = 'SELECT event_key, sealed_event_id, part FROM matrix_event WHERE message_key = $1 ORDER BY part';
    const rows = await db.query<Row & { part: number }>(sql, [this.#messageKey(message)], 'matrix-event-parts');
    return rows.map((row) => {
      const { eventId, part, root, file } = this.#open(row);
      return { eventId, part: part!, place: row.part, root, file };
    });
  }

  async #add(db: Queryable, ids: Ids, author: string, under: PartId | null = null): Promise<void> {
    const key = this.#eventKey(ids.eventId);
    const sql = `INSERT INTO matrix_event (event_key, author_key, message_key, part, sealed_event_id)
      VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`;
    const message = under && this.#messageKey(under.message);
    const values = [key, this.#authorKey(author), message, under?.index, this.sealer.sealJson(place(key), ids)];
    await db.query(sql, values, 'matrix-event-add');
  }

  #open({ event_key, sealed_event_id }: Row): Ids {
    return this.sealer.openJson<Ids>(place(event_key), sealed_event_id);
  }

  #eventKey(eventId: string): Buffer {
    return this.sealer.keyedHash('matrix event', eventId);
  }

  #messageKey(message: string): Buffer {
    return this.sealer.keyedHash('matrix message', message);
  }

  #authorKey(author: string): Buffer {
    return this.sealer.keyedHash('matrix author', author);
  }
}
