import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { sendJson, startHttpServer, type TestServer } from './http-server.js';

/** What a ghost said, by the first of the calls that said it. */
export interface Said {
  readonly room: string;
  readonly as: string;
  readonly content: Readonly<Record<string, unknown>>;
  /** Id of the event. */
  readonly id: string;
}

/** A call that a ghost makes. */
export interface FakeCall {
  /** `send`, `join`, `leave`, `state`, ... */
  readonly what: string;
  /** Empty where the call is about no room. */
  readonly room: string;
  readonly as: string;
}

const FORBIDDEN = { errcode: 'M_FORBIDDEN', error: 'She takes no invitations' };

/** As much of a homeserver as chats and rooms need: it knows everybody, and remembers transaction ids as Synapse does. */
export class FakeHomeserver {
  readonly said: Said[] = [];
  readonly rooms: string[] = [];
  /** `<room> <user>` */
  readonly joined: string[] = [];
  readonly left: { readonly who: string; readonly reason: string }[] = [];
  readonly redacted: { readonly room: string; readonly event: string }[] = [];
  /** By `<room> <type>`. */
  readonly states = new Map<string, object>();
  /** What it refuses with 403. */
  forbids: (call: FakeCall) => boolean = () => false;
  /** Who is in a room, besides those who ask. */
  members: (room: string) => readonly string[] = () => [];
  readonly calls: FakeCall[] = [];
  /** Rooms are made without those who are invited. */
  refusesInvitations = false;
  /** How often something was uploaded. */
  uploads = 0;
  /** So many more sends and redactions are answered; those after them are done, and their answers are lost. */
  answers = Infinity;
  readonly #transactions = new Set<string>();

  private constructor(private readonly server: TestServer) {
    server.handler = (request, response) => void this.#handle(request, response).catch(() => response.destroy());
  }

  static async start(): Promise<FakeHomeserver> {
    return new FakeHomeserver(await startHttpServer());
  }

  get url(): string {
    return this.server.url;
  }

  /** Notices in a room. */
  notices(room: string): string[] {
    const found = this.said.filter((each) => each.room === room && each.content['msgtype'] === 'm.notice');
    return found.map(({ content }) => String(content['body']));
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await buffer(request)).toString();
    const { pathname, searchParams } = new URL(request.url!, this.url);
    const parts = pathname.split('/').map(decodeURIComponent);
    const as = searchParams.get('user_id') ?? 'bot';
    const [room = '', what = ''] =
      parts[4] === 'rooms' ? parts.slice(5) : [parts[4] === 'join' ? parts[5] : '', parts[4]];
    this.calls.push({ what, room, as });
    if (this.forbids({ what, room, as })) {
      sendJson(response, { errcode: 'M_FORBIDDEN', error: 'not allowed' }, 403);
      return;
    }
    const answer = this.#answer(
      parts,
      as,
      (isJson(request) && body ? JSON.parse(body) : {}) as Record<string, unknown>,
    );
    if ((what === 'send' || what === 'redact') && this.answers-- <= 0) response.destroy();
    else if (this.refusesInvitations && what === 'createRoom') sendJson(response, FORBIDDEN, 403);
    else if (answer === null) sendJson(response, { errcode: 'M_NOT_FOUND', error: 'none' }, 404);
    else sendJson(response, answer);
  }

  #answer(parts: readonly string[], as: string, json: Readonly<Record<string, unknown>>): object | null {
    const [room = '', what] = parts[4] === 'rooms' ? parts.slice(5) : ['', parts[4]];
    if (what === 'createRoom') return this.#create(json);
    if (what === 'joined_rooms') return { joined_rooms: this.rooms };
    if (what === 'join') this.joined.push(`${parts[5]!} ${as}`);
    if (what === 'leave') this.left.push({ who: `${room} ${as}`, reason: String(json['reason']) });
    if (what === 'joined_members') return { joined: Object.fromEntries(this.members(room).map((id) => [id, {}])) };
    if (what === 'messages') return { chunk: [] };
    if (what === 'redact') return this.#redact(parts.join('/'), { room, event: parts[7]! });
    if (what === 'upload') return { content_uri: `mxc://hs.test/file${++this.uploads}` };
    if (what === 'state') return this.#state(room, parts);
    if (what === 'send') return this.#send(parts.join('/'), { room, as, content: json, id: `$${parts.join('/')}` });
    return {};
  }

  #state(room: string, parts: readonly string[]): object | null {
    if (parts[7] === 'm.room.member') return { membership: this.members(room).includes(parts[8]!) ? 'join' : 'leave' };
    return this.states.get(`${room} ${parts[7]!}`) ?? null;
  }

  /** As Synapse does: the room is there before an invitation is refused. */
  #create({ creation_content: content = {} }: Readonly<Record<string, unknown>>): object {
    const room = `!made${this.rooms.length}`;
    this.rooms.push(room);
    this.states.set(`${room} m.room.create`, content as object);
    return { room_id: room };
  }

  #send(transaction: string, said: Said): object {
    if (!this.#transactions.has(`${transaction} ${said.as}`)) this.said.push(said);
    this.#transactions.add(`${transaction} ${said.as}`);
    return { event_id: `$${transaction}` };
  }

  #redact(transaction: string, what: { room: string; event: string }): object {
    if (!this.#transactions.has(transaction)) this.redacted.push(what);
    this.#transactions.add(transaction);
    return { event_id: `$${transaction}` };
  }
}

function isJson({ headers }: IncomingMessage): boolean {
  return headers['content-type'] === 'application/json';
}
