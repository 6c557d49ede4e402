import type { Database } from '../../storage/database.js';
import type { MatrixEvent } from './event.js';
import type { InboxStore } from './inbox.store.js';
import { Once } from './once.js';
import { commandIn } from './portals/command-text.js';
import type { PortalParts } from './portals/portal-parts.js';
import type { Room, RoomStore } from './room.store.js';

interface Parts {
  readonly db: Database;
  readonly inbox: Pick<InboxStore, 'busyRooms'>;
  readonly rooms: Pick<RoomStore, 'find' | 'making'>;
  readonly portals: Pick<PortalParts, 'isBridged'>;
  readonly isOurs: (userId: string) => boolean;
}

/** Rooms that are ours: they are not asked about again, and what is kept of one that was given up does no harm. */
const REMEMBERED = 20_000;

/**
 * Tells what of a transaction is anybody's business, before it is kept: where the bot sits in a room that is not
 * bridged, what people say there is not. In doubt everything is.
 */
export class Concern {
  readonly #ours = new Once(REMEMBERED);

  constructor(private readonly parts: Parts) {}

  /** @returns those of the events that are to be kept, in their order @throws StorageUnavailableError */
  async of(events: readonly MatrixEvent[]): Promise<MatrixEvent[]> {
    const unknown = events.filter(({ room_id }) => !this.#ours.has(room_id));
    if (unknown.length === 0) return [...events];
    const concerned = await this.#concerned(unknown);
    const kept: MatrixEvent[] = [];
    for (const event of events) {
      // What follows an invitation or a command waits for what comes of it.
      if (this.#isForUs(event)) concerned.add(event.room_id);
      if (concerned.has(event.room_id) || this.#ours.has(event.room_id)) kept.push(event);
    }
    return kept;
  }

  /**
   * Of the rooms of these events. What may turn into a room of ours is looked at before those that are: whatever turns
   * in between is seen.
   */
  async #concerned(events: readonly MatrixEvent[]): Promise<Set<string>> {
    const { db, inbox, rooms } = this.parts;
    const making = await rooms.making(db, [...new Set(events.flatMap(peopleOf))]);
    const ids = [...new Set(events.map(({ room_id }) => room_id))];
    const found = new Set(await inbox.busyRooms(db, ids));
    for (const event of events) if (isOfOne(making, event)) found.add(event.room_id);
    for (const id of ids) if (await this.#isOurRoom(id)) this.#ours.add(id);
    return found;
  }

  async #isOurRoom(id: string): Promise<boolean> {
    const { db, rooms, portals } = this.parts;
    const chat = await rooms.find(db, id);
    return (chat !== null && chat.state !== 'closed') || portals.isBridged(id);
  }

  #isForUs(event: MatrixEvent): boolean {
    const { type, state_key: subject } = event;
    if (type === 'm.room.member') return subject !== undefined && this.parts.isOurs(subject);
    return commandIn(event) !== null;
  }
}

/** A chat that is being made: which room it is may not be known yet. */
function isOfOne(making: readonly Room[], event: MatrixEvent): boolean {
  return making.some(({ user }) => peopleOf(event).includes(user));
}

function peopleOf({ sender, state_key: subject }: MatrixEvent): string[] {
  return subject ? [sender, subject] : [sender];
}
