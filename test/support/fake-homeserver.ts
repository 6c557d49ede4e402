import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { sendJson, startHttpServer, type TestServer } from './http-server.js';

/** What a ghost said, by the first of the calls that said it. */
export interface Said {
  readonly room: string;
  readonly as: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** As much of a homeserver as chats of two need: it knows everybody, and remembers transaction ids as Synapse does. */
export class FakeHomeserver {
  readonly said: Said[] = [];
  readonly rooms: string[] = [];
  /** `<room> <user>` */
  readonly joined: string[] = [];
  readonly left: { readonly who: string; readonly reason: string }[] = [];
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
    const answer = this.#answer(parts, as, (body ? JSON.parse(body) : {}) as Record<string, unknown>);
    if (answer === null) sendJson(response, { errcode: 'M_NOT_FOUND', error: 'none' }, 404);
    else sendJson(response, answer);
  }

  #answer(parts: readonly string[], as: string, json: Readonly<Record<string, unknown>>): object | null {
    const [room = '', what] = parts[4] === 'rooms' ? parts.slice(5) : ['', parts[4]];
    if (what === 'createRoom') return { room_id: this.rooms[this.rooms.push(`!made${this.rooms.length}`) - 1] };
    if (what === 'join') this.joined.push(`${parts[5]!} ${as}`);
    if (what === 'leave') this.left.push({ who: `${room} ${as}`, reason: String(json['reason']) });
    if (what === 'joined_members') return { joined: {} };
    if (what === 'state') return null;
    if (what === 'send') return this.#send(parts.join('/'), { room, as, content: json });
    return {};
  }

  #send(transaction: string, said: Said): object {
    if (!this.#transactions.has(`${transaction} ${said.as}`)) this.said.push(said);
    this.#transactions.add(`${transaction} ${said.as}`);
    return { event_id: `$${transaction}` };
  }
}
