import { z } from 'zod';
import { HomeserverError } from './errors.js';
import { path, type Call, type Homeserver, type Upload } from './homeserver.js';

/** Every ghost's device: with one, the homeserver remembers transaction ids over its own restarts. */
export const DEVICE = 'DM3GATEWAY';

const eventId = z.object({ event_id: z.string() });
const roomId = z.object({ room_id: z.string() });
const members = z.object({ joined: z.record(z.string(), z.unknown()) });
const rooms = z.object({ joined_rooms: z.array(z.string()) });
const page = z.object({ chunk: z.array(z.unknown()) });
const uploaded = z.object({ content_uri: z.string() });
const mediaConfig = z.object({ 'm.upload.size': z.number().optional() });

export interface Sending {
  readonly as: string;
  readonly room: string;
  /** Repeated with the same one, a call does nothing new. */
  readonly txn: string;
}

/** The few calls of the client-server API that the gateway makes. All throw HomeserverError. */
export class MatrixApi {
  constructor(private readonly homeserver: Homeserver) {}

  /** Makes the account of a ghost, or leaves the one that is there. */
  async register(localpart: string): Promise<void> {
    const json = { type: 'm.login.application_service', username: localpart, inhibit_login: true };
    try {
      await this.homeserver.call({ method: 'POST', path: '/_matrix/client/v3/register', json });
    } catch (error) {
      if (!isRefusal(error, 'M_USER_IN_USE')) throw error;
    }
  }

  async putDevice(as: string): Promise<void> {
    const json = { display_name: 'dm3-gateway' };
    await this.homeserver.call({ method: 'PUT', path: path`/_matrix/client/v3/devices/${DEVICE}`, as, json });
  }

  async setDisplayName(as: string, displayname: string): Promise<void> {
    await this.homeserver.call({
      method: 'PUT',
      path: path`/_matrix/client/v3/profile/${as}/displayname`,
      as,
      json: { displayname },
    });
  }

  async setAvatar(as: string, avatarUrl: string): Promise<void> {
    await this.homeserver.call({
      method: 'PUT',
      path: path`/_matrix/client/v3/profile/${as}/avatar_url`,
      as,
      json: { avatar_url: avatarUrl },
    });
  }

  /**
   * @param via a server that knows the room, where ours may not
   * @param reason stands in the membership; not where he is in the room already
   */
  async join(as: string, room: string, via?: string, reason?: string): Promise<void> {
    const query: Readonly<Record<string, string>> = via === undefined ? {} : { via, server_name: via };
    const where = path`/_matrix/client/v3/join/${room}`;
    await this.homeserver.call({ method: 'POST', path: where, as, query, json: { reason } });
  }

  async leave(as: string, room: string, reason: string): Promise<void> {
    await this.homeserver.call({
      method: 'POST',
      path: path`/_matrix/client/v3/rooms/${room}/leave`,
      as,
      json: { reason },
    });
  }

  /** As `createRoom` does for direct chats, so that clients list the room among those. */
  async inviteDirect(as: string, room: string, user: string): Promise<void> {
    const where = path`/_matrix/client/v3/rooms/${room}/state/m.room.member/${user}`;
    await this.homeserver.call({ method: 'PUT', path: where, as, json: { membership: 'invite', is_direct: true } });
  }

  /** False if the homeserver knows no such user. */
  async hasProfile(user: string): Promise<boolean> {
    const found = await this.#orNull({ method: 'GET', path: path`/_matrix/client/v3/profile/${user}` });
    return found !== null;
  }

  /** Made twice it makes two rooms. */
  async createRoom(as: string, json: unknown): Promise<string> {
    const answer = await this.homeserver.call({
      method: 'POST',
      path: '/_matrix/client/v3/createRoom',
      as,
      json,
      once: true,
    });
    return roomId.parse(answer).room_id;
  }

  async joinedRooms(as: string): Promise<string[]> {
    return rooms.parse(await this.homeserver.call({ method: 'GET', path: '/_matrix/client/v3/joined_rooms', as }))
      .joined_rooms;
  }

  async joinedMembers(as: string, room: string): Promise<string[]> {
    const where = path`/_matrix/client/v3/rooms/${room}/joined_members`;
    return Object.keys(members.parse(await this.homeserver.call({ method: 'GET', path: where, as })).joined);
  }

  /** Null where the room has no such state. */
  state(as: string, room: string, type: string): Promise<unknown> {
    return this.#orNull({ method: 'GET', path: path`/_matrix/client/v3/rooms/${room}/state/${type}/`, as });
  }

  /** The same with its sender. Null where the room has no such state. */
  stateEvent(as: string, room: string, type: string): Promise<unknown> {
    const where = path`/_matrix/client/v3/rooms/${room}/state/${type}/`;
    return this.#orNull({ method: 'GET', path: where, as, query: { format: 'event' } });
  }

  /** The room an alias leads to; null where it leads nowhere. */
  async roomOf(alias: string): Promise<string | null> {
    const found = await this.#orNull({ method: 'GET', path: path`/_matrix/client/v3/directory/room/${alias}` });
    return found === null ? null : roomId.parse(found).room_id;
  }

  async invite(as: string, room: string, user: string): Promise<void> {
    const json = { user_id: user };
    await this.homeserver.call({ method: 'POST', path: path`/_matrix/client/v3/rooms/${room}/invite`, as, json });
  }

  /** The latest events of a room, the oldest of them first. */
  async latest(as: string, room: string, limit: number): Promise<readonly unknown[]> {
    const where = path`/_matrix/client/v3/rooms/${room}/messages`;
    const query = { dir: 'b', limit: String(limit) };
    return page.parse(await this.homeserver.call({ method: 'GET', path: where, as, query })).chunk.reverse();
  }

  /** Null for somebody who has never had to do with the room. */
  member(as: string, room: string, user: string): Promise<unknown> {
    const where = path`/_matrix/client/v3/rooms/${room}/state/m.room.member/${user}`;
    return this.#orNull({ method: 'GET', path: where, as });
  }

  /** @returns the event's id */
  async send({ as, room, txn }: Sending, type: string, json: unknown): Promise<string> {
    const where = path`/_matrix/client/v3/rooms/${room}/send/${type}/${txn}`;
    const query = { device_id: DEVICE };
    return eventId.parse(await this.homeserver.call({ method: 'PUT', path: where, as, query, json })).event_id;
  }

  async redact({ as, room, txn }: Sending, event: string): Promise<string> {
    const where = path`/_matrix/client/v3/rooms/${room}/redact/${event}/${txn}`;
    const query = { device_id: DEVICE };
    return eventId.parse(await this.homeserver.call({ method: 'PUT', path: where, as, query, json: {} })).event_id;
  }

  async markRead(as: string, room: string, event: string): Promise<void> {
    const where = path`/_matrix/client/v3/rooms/${room}/receipt/m.read/${event}`;
    await this.homeserver.call({ method: 'POST', path: where, as, json: {} });
  }

  /** @returns its `mxc://` address */
  async upload(as: string, { name: filename, ...bytes }: Upload & { readonly name: string }): Promise<string> {
    const answer = await this.homeserver.call({
      method: 'POST',
      path: '/_matrix/media/v3/upload',
      as,
      query: { filename },
      bytes,
    });
    return uploaded.parse(answer).content_uri;
  }

  /** Authenticated, as homeservers ask for since Matrix 1.11. */
  async download(as: string, media: { server: string; id: string }): Promise<Response> {
    const where = path`/_matrix/client/v1/media/download/${media.server}/${media.id}`;
    return this.homeserver.open({ method: 'GET', path: where, as });
  }

  /** Largest upload, bytes; null if the homeserver does not say. */
  async mediaLimit(): Promise<number | null> {
    const answer = await this.homeserver.call({ method: 'GET', path: '/_matrix/client/v1/media/config' });
    return mediaConfig.parse(answer)['m.upload.size'] ?? null;
  }

  /** Has the homeserver call us; one that had given us up for a while delivers at once. */
  async ping(registrationId: string, txn: string): Promise<void> {
    const where = path`/_matrix/client/v1/appservice/${registrationId}/ping`;
    await this.homeserver.call({ method: 'POST', path: where, json: { transaction_id: txn } });
  }

  async whoami(): Promise<unknown> {
    return this.homeserver.call({ method: 'GET', path: '/_matrix/client/v3/account/whoami' });
  }

  async versions(): Promise<unknown> {
    return this.homeserver.call({ method: 'GET', path: '/_matrix/client/versions', anonymous: true });
  }

  async #orNull(call: Call): Promise<unknown> {
    try {
      return await this.homeserver.call(call);
    } catch (error) {
      // Not every "not found" is called so; a path that the homeserver does not know is none.
      if (error instanceof HomeserverError && error.status === 404 && !error.retryable) return null;
      throw error;
    }
  }
}

export function isRefusal(error: unknown, errcode: string): boolean {
  return error instanceof HomeserverError && error.errcode === errcode;
}

/** False where somebody may not (any more): he was sent out, or is not to speak. @throws HomeserverError for all else */
export async function ifAllowed(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (isRefusal(error, 'M_FORBIDDEN')) return false;
    throw error;
  }
}
