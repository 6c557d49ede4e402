import { GatewayError } from '../../common/errors.js';
import type { EnsName } from '../../common/ids.js';
import type { GatewayPort, Target } from '../../gateway/adapter/adapter.js';
import type { Database } from '../../storage/database.js';
import { toForeign } from './address.js';
import { ifAllowed, isRefusal, type MatrixApi } from './api.js';
import { objectIn, textIn, type MatrixEvent } from './event.js';
import { isGhostId } from './ghost-id.js';
import type { MatrixGhosts } from './ghosts.js';
import { transactionFor } from './part-id.js';
import type { Room, RoomStore } from './room.store.js';
import type { MatrixRooms } from './rooms.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly port: GatewayPort;
  readonly ghosts: MatrixGhosts;
  readonly rooms: RoomStore;
  readonly chats: MatrixRooms;
  readonly serverName: string;
  readonly botId: string;
  readonly isOurs: (userId: string) => boolean;
}

const ENCRYPTED =
  'This room is encrypted, and this gateway cannot read encrypted messages: nothing said here reaches anybody. Please open a chat without encryption.';
const UPGRADED = 'This chat goes on in another room: please invite me there.';
const crowdText = (bot: string) =>
  `I carry chats of two. Somebody else is here, so I leave. Please open a chat with me alone, or invite ${bot} into a room of several and write "!dm3 bridge" with my name.`;
const TAKEN = 'This room is somebody else’s chat already; please open a chat with me alone.';

/** Who is where: invitations, joins, departures, and what the ghosts make of them. */
export class Membership {
  constructor(private readonly parts: Parts) {}

  async handle(event: MatrixEvent): Promise<void> {
    const { isOurs, serverName } = this.parts;
    const subject = event.state_key ?? '';
    const membership = textIn(event.content, 'membership');
    if (isGhostId(subject, serverName)) {
      if (membership === 'invite' && !isOurs(event.sender)) return this.#invited(event, subject);
      if ((membership === 'leave' || membership === 'ban') && !isOurs(event.sender)) return this.#removed(event);
      return;
    }
    if (!isOurs(subject)) await this.#person(event, subject, membership);
  }

  /** Once a room: the person is told, and the chat is not used any more. */
  async encrypted(room: Room, event: MatrixEvent): Promise<void> {
    const { db, rooms } = this.parts;
    if (!room.toldEncrypted) await this.say(room, `encrypted ${room.roomId}`, ENCRYPTED);
    await rooms.tellEncrypted(db, room);
    if (event.type === 'm.room.encryption') await rooms.settle(db, room, { state: 'closed' });
  }

  /** Somebody else speaks or is in a chat of two: what is private there is so no more. */
  async crowd(room: Room, { event_id }: MatrixEvent): Promise<void> {
    await this.#depart(room, event_id, crowdText(this.parts.botId));
  }

  /** Nobody can speak here any more; the room that follows takes whom somebody invites. */
  async upgraded(room: Room, { event_id, state_key }: MatrixEvent): Promise<void> {
    if (state_key === '') await this.#depart(room, event_id, UPGRADED);
  }

  /** A notice of a room's ghost. @param purpose the same text is said once for it */
  async say(room: Pick<Room, 'roomId' | 'ghost'>, purpose: string, body: string, about?: string): Promise<void> {
    const relation = about === undefined ? {} : { 'm.relates_to': { 'm.in_reply_to': { event_id: about } } };
    const place = { as: room.ghost, room: room.roomId!, txn: transactionFor('notice', purpose) };
    const content = { msgtype: 'm.notice', body, 'm.mentions': {}, ...relation };
    await ifAllowed(this.parts.api.send(place, 'm.room.message', content));
  }

  async #invited(event: MatrixEvent, ghost: string): Promise<void> {
    const { port, ghosts } = this.parts;
    const name = await ghosts.nameOf(ghost);
    if (name === null) return this.decline(event, ghost, `${ghost} stands for no ENS name.`);
    try {
      await this.#accept(event, name, await port.lookup(name, toForeign(event.sender)));
    } catch (error) {
      if (!(error instanceof GatewayError) || error.retryable) throw error;
      if (isRefusal(error, 'M_FORBIDDEN')) return this.abandon(event); // the invitation was taken back meanwhile
      await this.decline(event, ghost, `${name} cannot be reached from here. ${error.message}`);
    }
  }

  /** The row first: whatever dm3 says until the ghost is there waits for this chat, and opens no second one. */
  async #accept(event: MatrixEvent, name: EnsName, target: Target): Promise<void> {
    const { db, api, ghosts, rooms } = this.parts;
    const ghost = await ghosts.ensure(name);
    const chat = { roomId: event.room_id, ghost, name, identity: target.address, user: event.sender };
    const known = (await rooms.find(db, event.room_id)) ?? (await rooms.add(db, { ...chat, state: 'joining' }));
    await api.join(ghost, event.room_id);
    const refusal = await this.#refusal(known, chat);
    if (refusal !== null) return this.#depart(chat, event.event_id, refusal);
    const room = await rooms.settle(db, known, { ...chat, state: 'open' });
    if (await api.state(ghost, event.room_id, 'm.room.encryption')) {
      await this.encrypted(room, { ...event, type: 'm.room.encryption' });
    }
  }

  /** Null for a chat of two that is nobody else's. */
  async #refusal(known: Room, chat: { roomId: string; ghost: string; user: string }): Promise<string | null> {
    const isActive = known.state !== 'closed' && known.state !== 'declined';
    if (isActive && known.ghost !== chat.ghost) return TAKEN;
    const members = await this.parts.api.joinedMembers(chat.ghost, chat.roomId);
    const strangers = members.filter((member) => member !== chat.user && member !== chat.ghost);
    return strangers.length === 0 ? null : crowdText(this.parts.botId);
  }

  /** An invitation that comes to nothing: no message waits for its chat any more. */
  async abandon({ room_id: roomId, state_key: ghost }: MatrixEvent): Promise<void> {
    const { db, rooms } = this.parts;
    const room = await rooms.find(db, roomId);
    if (room?.state === 'joining' && room.ghost === ghost) await rooms.settle(db, room, { state: 'closed' });
  }

  /** Joins to say why, and leaves. */
  async decline(event: MatrixEvent, ghost: string, why: string): Promise<void> {
    const { api, ghosts } = this.parts;
    await ghosts.ensureBare(ghost);
    try {
      await api.join(ghost, event.room_id);
    } catch (error) {
      if (isRefusal(error, 'M_FORBIDDEN')) return this.abandon(event); // done before, or taken back
      throw error;
    }
    await this.#depart({ roomId: event.room_id, ghost }, event.event_id, why);
  }

  /** Without joining: whoever looks for the reason finds it in the refusal. */
  async reject(event: MatrixEvent, ghost: string, why: string): Promise<void> {
    const { api, ghosts } = this.parts;
    await ghosts.ensureBare(ghost);
    await ifAllowed(api.leave(ghost, event.room_id, why)); // taken back, or done before
  }

  async #depart(room: Pick<Room, 'roomId' | 'ghost'>, purpose: string, why: string): Promise<void> {
    const { db, api, rooms } = this.parts;
    await this.say(room, purpose, why);
    await ifAllowed(api.leave(room.ghost, room.roomId!, why));
    const known = await rooms.find(db, room.roomId!);
    if (known?.ghost === room.ghost) await rooms.settle(db, known, { state: 'closed' });
  }

  /** By the person, or by whoever may. It stays so until the ghost is invited again. */
  async #removed(event: MatrixEvent): Promise<void> {
    const { db, rooms } = this.parts;
    const room = await rooms.find(db, event.room_id);
    if (room && room.ghost === event.state_key && room.state !== 'closed') {
      await rooms.settle(db, room, { state: 'declined' });
    }
  }

  async #person(event: MatrixEvent, subject: string, membership: string | null): Promise<void> {
    const { db, rooms, chats } = this.parts;
    const room = await chats.of(event.room_id, subject);
    if (!room || room.state === 'closed') return;
    if (subject !== room.user) {
      if (membership === 'join') await this.crowd(room, event);
      return;
    }
    if (membership === 'join' && room.state !== 'declined') await rooms.settle(db, room, { state: 'open' });
    if (membership === 'leave' || membership === 'ban') {
      const refused = previous(event) === 'invite' || membership === 'ban';
      await rooms.settle(db, room, { state: refused ? 'declined' : 'left' });
    }
  }
}

function previous({ unsigned = {} }: MatrixEvent): string | null {
  return textIn(objectIn(unsigned, 'prev_content'), 'membership');
}
