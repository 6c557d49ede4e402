import { randomUUID } from 'node:crypto';
import { eventually } from './eventually.js';

export interface RoomEvent {
  readonly type: string;
  readonly event_id: string;
  readonly origin_server_ts: number;
  readonly sender: string;
  readonly state_key?: string;
  readonly content: Readonly<Record<string, unknown>> & { body?: string; msgtype?: string; membership?: string };
  readonly redacts?: string;
  readonly unsigned?: { readonly redacted_because?: unknown };
}

interface Sync {
  readonly rooms?: {
    readonly join?: Readonly<Record<string, unknown>>;
    readonly invite?: Readonly<Record<string, { invite_state: { events: RoomEvent[] } }>>;
  };
}

/** Somebody with a Matrix client: the client-server API and nothing else. */
export class MatrixUser {
  private constructor(
    readonly url: string,
    readonly id: string,
    private readonly token: string,
  ) {}

  static async logIn(url: string, name: string, password: string): Promise<MatrixUser> {
    const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user: name }, password };
    const answer = await ask(url, 'POST', '/_matrix/client/v3/login', { body });
    const { access_token, user_id } = answer as { access_token: string; user_id: string };
    return new MatrixUser(url, user_id, access_token);
  }

  call(method: string, path: string, body?: unknown): Promise<unknown> {
    return ask(this.url, method, `/_matrix/client/v3/${path}`, { body, token: this.token });
  }

  /** @returns the room's id */
  async createRoom(invite: readonly string[], more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const body = { preset: 'trusted_private_chat', is_direct: true, invite, ...more };
    return ((await this.call('POST', 'createRoom', body)) as { room_id: string }).room_id;
  }

  /** A chat with a ghost who has joined. */
  async chatWith(ghost: string): Promise<string> {
    const room = await this.createRoom([ghost]);
    await this.untilMember(room, ghost, 'join');
    return room;
  }

  /** @returns the event's id */
  async say(
    room: string,
    content: string | Readonly<Record<string, unknown>>,
    type = 'm.room.message',
  ): Promise<string> {
    const body = typeof content === 'string' ? { msgtype: 'm.text', body: content } : content;
    const path = `rooms/${encodeURIComponent(room)}/send/${type}/${randomUUID()}`;
    return ((await this.call('PUT', path, body)) as { event_id: string }).event_id;
  }

  async redact(room: string, event: string): Promise<string> {
    const path = `rooms/${encodeURIComponent(room)}/redact/${encodeURIComponent(event)}/${randomUUID()}`;
    return ((await this.call('PUT', path, {})) as { event_id: string }).event_id;
  }

  async markRead(room: string, event: string): Promise<void> {
    await this.call('POST', `rooms/${encodeURIComponent(room)}/receipt/m.read/${encodeURIComponent(event)}`, {});
  }

  async join(room: string): Promise<void> {
    await this.call('POST', `join/${encodeURIComponent(room)}`, {});
  }

  async leave(room: string): Promise<void> {
    await this.call('POST', `rooms/${encodeURIComponent(room)}/leave`, {});
  }

  async invite(room: string, user: string): Promise<void> {
    await this.call('POST', `rooms/${encodeURIComponent(room)}/invite`, { user_id: user });
  }

  async kick(room: string, user: string): Promise<void> {
    await this.call('POST', `rooms/${encodeURIComponent(room)}/kick`, { user_id: user });
  }

  async setState(room: string, type: string, content: unknown): Promise<void> {
    await this.call('PUT', `rooms/${encodeURIComponent(room)}/state/${type}/`, content);
  }

  /** Everything that happened in a room, oldest first. */
  async timeline(room: string): Promise<RoomEvent[]> {
    const path = `rooms/${encodeURIComponent(room)}/messages?dir=b&limit=1000`;
    return ((await this.call('GET', path)) as { chunk: RoomEvent[] }).chunk.reverse();
  }

  async messages(room: string, from?: string): Promise<RoomEvent[]> {
    const events = await this.timeline(room);
    return events.filter(({ type, sender }) => type === 'm.room.message' && (!from || sender === from));
  }

  /** Waits for an event that somebody else made. */
  awaitEvent(room: string, what: string, isIt: (event: RoomEvent) => boolean): Promise<RoomEvent> {
    return eventually(`${what} for ${this.id}`, async () =>
      (await this.timeline(room)).find((event) => event.sender !== this.id && isIt(event)),
    );
  }

  /** Waits for a message with these words. */
  hear(room: string, words: string): Promise<RoomEvent> {
    return this.awaitEvent(room, `"${words}"`, ({ content }) => content.body?.includes(words) ?? false);
  }

  async untilMember(room: string, user: string, membership: string): Promise<RoomEvent> {
    return eventually(`${user} to ${membership}`, async () => {
      const events = (await this.timeline(room)).filter((event) => event.state_key === user);
      const last = events.findLast(({ type }) => type === 'm.room.member');
      return last?.content.membership === membership && last;
    });
  }

  /** Rooms that somebody has invited this user to, with the invitation. */
  async invitations(from?: string): Promise<{ room: string; invite: RoomEvent }[]> {
    const { rooms } = await this.#sync();
    const found = Object.entries(rooms?.invite ?? {}).map(([room, { invite_state }]) => ({
      room,
      invite: invite_state.events.find((event) => event.type === 'm.room.member' && event.state_key === this.id)!,
    }));
    return found.filter(({ invite }) => !from || invite.sender === from);
  }

  async joinedRooms(): Promise<string[]> {
    return ((await this.call('GET', 'joined_rooms')) as { joined_rooms: string[] }).joined_rooms;
  }

  /** Waits for an invitation and follows it. @returns the room's id */
  async acceptInvitation(from: string): Promise<string> {
    const [{ room }] = await eventually(`an invitation from ${from}`, async () => {
      const found = await this.invitations(from);
      return found.length > 0 && (found as [(typeof found)[0]]);
    });
    await this.join(room);
    return room;
  }

  async upload(bytes: Uint8Array, type: string): Promise<string> {
    const response = await fetch(`${this.url}/_matrix/media/v3/upload`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': type },
      body: new Uint8Array(bytes),
    });
    return ((await response.json()) as { content_uri: string }).content_uri;
  }

  async download(mxc: string): Promise<Uint8Array> {
    const path = mxc.slice('mxc://'.length);
    const headers = { authorization: `Bearer ${this.token}` };
    const response = await fetch(`${this.url}/_matrix/client/v1/media/download/${path}`, { headers });
    if (!response.ok) throw new Error(`The file was not there: HTTP ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Who of a room has read what: event id -> user ids. */
  async receipts(room: string): Promise<Readonly<Record<string, readonly string[]>>> {
    const sync = (await this.#sync()) as { rooms: { join: Record<string, { ephemeral: { events: RoomEvent[] } }> } };
    const events = sync.rooms.join[room]?.ephemeral.events.filter(({ type }) => type === 'm.receipt') ?? [];
    const read: Record<string, string[]> = {};
    for (const { content } of events) {
      for (const [event, kinds] of Object.entries(content)) {
        read[event] = Object.keys((kinds as { 'm.read'?: object })['m.read'] ?? {});
      }
    }
    return read;
  }

  async #sync(): Promise<Sync> {
    return (await this.call('GET', 'sync?timeout=0')) as Sync;
  }
}

async function ask(
  url: string,
  method: string,
  path: string,
  { body, token }: { body?: unknown; token?: string },
): Promise<unknown> {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(url + path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}
