import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import type { Database } from '../../storage/database.js';
import { HomeserverError } from './errors.js';
import { objectIn } from './event.js';
import { ifAllowed, type MatrixApi } from './api.js';
import type { ChatSpeaker } from './rendering.js';
import type { Room, RoomStore } from './room.store.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly store: RoomStore;
  readonly serverName: string;
  /** One more that an identity opens. @throws DeliveryFailedError where that is too many */
  readonly newChat: (opened: { readonly identity: string }) => Promise<void>;
}

/** In a room's first event: which row of ours it was made for. */
const MARK = 'network.dm3.chat';

/** Direct chats: found again for ever, made once. */
export class MatrixRooms {
  constructor(private readonly parts: Parts) {}

  /**
   * The room in which a ghost speaks to a person: the one of the conversation, else the chat the two used last, else a
   * new one.
   * @param speaks else nobody is invited for it, and no room made
   * @returns null where no chat goes on and he does not speak
   * @throws DeliveryFailedError DECLINED, NO_SUCH_USER, TOO_MANY_CHATS: permanent; CHAT_OPENING; HomeserverError
   */
  async forSending(speaker: ChatSpeaker, speaks: boolean): Promise<{ as: string; room: string } | null> {
    const named = await this.#named(speaker);
    const room = named ?? (await this.parts.store.latest(this.parts.db, speaker));
    if (!speaks && room?.state !== 'open' && room?.state !== 'invited') return null;
    const ready = await this.#ready(room, speaker);
    await this.parts.store.touch(this.parts.db, ready);
    return { as: ready.ghost, room: ready.roomId };
  }

  /**
   * The chat that an event belongs to. One that we made, and do not know of because we were killed before the answer, is
   * told by its mark: a person may be faster than our next attempt.
   * @param user who wrote or did it
   */
  async of(roomId: string, user: string): Promise<Room | null> {
    const { db, store } = this.parts;
    const known = await store.find(db, roomId);
    if (known) return known;
    for (const room of await store.making(db, [user])) {
      if (await this.#isMarked(room, roomId)) return this.#make(room, roomId);
    }
    return null;
  }

  async #named({ room: roomId, identity, user }: ChatSpeaker): Promise<Room | null> {
    const room = roomId === null ? null : await this.parts.store.find(this.parts.db, roomId);
    const isTheirs = room?.identity === identity && room.user === user;
    return isTheirs && (room.state === 'open' || room.state === 'invited' || room.state === 'left') ? room : null;
  }

  async #ready(room: Room | null, speaker: ChatSpeaker): Promise<Room & { roomId: string }> {
    switch (room?.state) {
      case 'open':
      case 'invited':
        return room as Room & { roomId: string };
      case 'joining':
        throw opening(speaker.user);
      case 'left':
        return this.#inviteAgain(room);
      case 'declined':
        throw declined(speaker.user);
      case 'making':
        return this.#begin(room, async () => (await this.#found(room)) ?? this.#create(room));
      default:
        return this.#makeNew(speaker);
    }
  }

  async #makeNew({ identity, name, ghost, user }: ChatSpeaker): Promise<Room & { roomId: string }> {
    const { db, api, store, serverName } = this.parts;
    if (user.endsWith(`:${serverName}`) && !(await api.hasProfile(user))) throw noSuchUser(user);
    await this.parts.newChat({ identity });
    const room = await store.add(db, { state: 'making', roomId: null, identity, name, ghost, user });
    return this.#begin(room, () => this.#create(room));
  }

  /** What is refused for good is over: the next message begins anew. */
  async #begin(room: Room, making: () => Promise<string>): Promise<Room & { roomId: string }> {
    const roomId = await making().catch(async (error: unknown) => {
      if (error instanceof HomeserverError && !error.retryable) await this.#abandon(room);
      throw error;
    });
    return this.#make(room, roomId);
  }

  /** A homeserver may have made the room before it refused the invitation. */
  async #abandon(room: Room): Promise<void> {
    const { db, api, store } = this.parts;
    const made = await this.#alreadyMade(room);
    if (made !== null) await ifAllowed(api.leave(room.ghost, made, 'Nobody can be invited here.'));
    await store.settle(db, room, { state: 'closed' });
  }

  /** The row first, then the room, which bears the row's id: a crash in between finds it again. */
  #create({ id, ghost, user }: Room): Promise<string> {
    return this.parts.api.createRoom(ghost, {
      preset: 'trusted_private_chat',
      is_direct: true,
      invite: [user],
      creation_content: { [MARK]: id },
    });
  }

  async #make(room: Room, roomId: string): Promise<Room & { roomId: string }> {
    const { db, store } = this.parts;
    return (await store.settle(db, room, { state: 'invited', roomId })) as Room & { roomId: string };
  }

  /** A room that was made just before a crash, or whose answer was lost on the way. */
  async #found(room: Room): Promise<string | null> {
    const roomId = await this.#alreadyMade(room);
    if (roomId !== null) await this.#ensureInvited(room, roomId);
    return roomId;
  }

  async #alreadyMade(room: Room): Promise<string | null> {
    const { db, api, store } = this.parts;
    for (const roomId of await api.joinedRooms(room.ghost)) {
      if (await store.find(db, roomId)) continue;
      if (await this.#isMarked(room, roomId)) return roomId;
    }
    return null;
  }

  async #isMarked({ id, ghost }: Room, roomId: string): Promise<boolean> {
    let created: unknown = null;
    const looking = this.parts.api.state(ghost, roomId, 'm.room.create').then((state) => (created = state));
    return (await ifAllowed(looking)) && (created as Record<string, unknown> | null)?.[MARK] === id;
  }

  async #ensureInvited({ ghost, user }: Room, roomId: string): Promise<void> {
    const member = objectIn({ member: await this.parts.api.member(ghost, roomId, user) }, 'member');
    if (member['membership'] !== 'invite' && member['membership'] !== 'join') {
      await this.parts.api.inviteDirect(ghost, roomId, user);
    }
  }

  async #inviteAgain(room: Room): Promise<Room & { roomId: string }> {
    const { db, store } = this.parts;
    await this.#ensureInvited(room, room.roomId!);
    return (await store.settle(db, room, { state: 'invited' })) as Room & { roomId: string };
  }
}

/** Another chat beside the one that just begins would be one too many. */
function opening(user: string): DeliveryFailedError {
  const reason = `The chat to which ${user} has invited is just being joined.`;
  return new DeliveryFailedError({ code: 'CHAT_OPENING', reason, retryable: true });
}

function declined(user: string): DeliveryFailedError {
  const reason = `${user} has declined the chat or removed you from it; it goes on when ${user} invites you.`;
  return new DeliveryFailedError({ code: 'DECLINED', reason, retryable: false });
}

function noSuchUser(user: string): DeliveryFailedError {
  const reason = `There is no ${user} on its homeserver; check the address.`;
  return new DeliveryFailedError({ code: 'NO_SUCH_USER', reason, retryable: false });
}
