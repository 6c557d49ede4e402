import type { Database } from '../../storage/database.js';
import { ifAllowed, type MatrixApi } from './api.js';
import type { MatrixBot } from './bot.js';
import type { MatrixEvent } from './event.js';
import type { EventStore } from './event.store.js';
import { TooFastError } from './limits.js';
import { messageOf, partId, transactionFor, type PartId } from './part-id.js';
import { FOLLOW_UP, readFollowUp } from './portals/follow-up.js';
import type { MemberStore } from './portals/member.store.js';
import type { PortalStore } from './portals/portal.store.js';
import type { RoomStore } from './room.store.js';
import { cleanText } from './text.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly bot: MatrixBot;
  readonly events: EventStore;
  readonly rooms: RoomStore;
  readonly portals: Pick<PortalStore, 'ofRoom' | 'byId'>;
  readonly members: Pick<MemberStore, 'find'>;
  /** Who wrote an event hears of it after so long; never if 0. */
  readonly noticeSeconds: number;
  readonly now: () => number;
}

/** What an event's author is told while the gateway cannot handle it, and for how long it tries. */
export interface Waiting {
  readonly error: unknown;
  readonly since: Date;
  readonly until: Date;
}

interface Place {
  /** What its author wrote. */
  readonly about: MatrixEvent;
  readonly as: string;
  readonly room: string;
  /** Whom it has not reached. */
  readonly receiver: string;
}

/**
 * Tells the author of an event that it still waits to be handled, once, and takes that back when the waiting is over.
 * Only the first one of a room is told of, since those behind it wait for it.
 */
export class EventDelays {
  constructor(private readonly parts: Parts) {}

  /** Of what somebody said, if it has waited long enough. Who writes too fast was told so. @throws HomeserverError */
  async tell(event: MatrixEvent, { error, since, until }: Waiting): Promise<void> {
    const { db, api, events, noticeSeconds, now } = this.parts;
    if (noticeSeconds === 0 || now() - since.getTime() < noticeSeconds * 1_000) return;
    if (error instanceof TooFastError || (await this.#told(event)).length > 0) return;
    const place = await this.#placeOf(event);
    if (!place || !isSaid(place.about)) return;
    const end = `${until.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    const body = cleanText(
      `Your message has not reached ${place.receiver} yet. We go on trying until ${end}; you need not send it again.`,
    );
    const relation = { 'm.relates_to': { 'm.in_reply_to': { event_id: place.about.event_id } } };
    const content = { msgtype: 'm.notice', body, 'm.mentions': {}, ...relation };
    const sending = api.send({ ...place, txn: transactionFor('waits', event.event_id) }, 'm.room.message', content);
    await ifAllowed(sending.then((told) => events.addSent(db, told, place.as, partOf(event))));
  }

  /** It has arrived, or failed and that is said. @throws HomeserverError */
  async takeBack(event: MatrixEvent): Promise<void> {
    const told = await this.#told(event);
    const place = told.length > 0 ? await this.#placeOf(event) : null;
    if (!place) return;
    const txn = transactionFor('waits no more', event.event_id);
    for (const notice of told) await ifAllowed(this.parts.api.redact({ ...place, txn }, notice));
  }

  #told(event: MatrixEvent): Promise<string[]> {
    return this.parts.events.eventsOf(this.parts.db, partId(partOf(event)));
  }

  /** Null where nobody of ours is, or where nothing is said any more. */
  async #placeOf(event: MatrixEvent): Promise<Place | null> {
    const { db, bot, rooms, portals } = this.parts;
    if (event.type === FOLLOW_UP) return this.#placeOfMember(event);
    const room = event.room_id;
    const portal = await portals.ofRoom(db, room);
    const isOver = portal?.state === 'closed';
    if (portal) return isOver ? null : { about: event, as: bot.userId, room: portal.roomId, receiver: 'dm3' };
    const chat = await rooms.find(db, room);
    return chat && chat.state !== 'closed' ? { about: event, as: chat.ghost, room, receiver: chat.name } : null;
  }

  /** What one member of a room is still to get. */
  async #placeOfMember(order: MatrixEvent): Promise<Place | null> {
    const { db, bot, portals, members } = this.parts;
    const { portalId, identity, event: about } = readFollowUp(order);
    const portal = await portals.byId(db, portalId);
    const member = portal && (await members.find(db, portal, identity));
    if (!about || !member || portal.state === 'closed') return null;
    return { about, as: bot.userId, room: portal.roomId, receiver: member.name };
  }
}

function isSaid({ type, content }: MatrixEvent): boolean {
  return (type === 'm.room.message' && content['msgtype'] !== 'm.notice') || type === 'm.sticker';
}

const partOf = ({ event_id }: MatrixEvent): PartId => ({ message: messageOf(`waits ${event_id}`), index: 0 });
