import { io, type Socket } from 'socket.io-client';
import type { AnyEnvelope, RealClient } from './dm3-lib.js';
import { eventually } from './eventually.js';

export interface Auth {
  readonly account?: unknown;
  readonly token?: unknown;
}

/** What becomes of a connection: `authorized`, `unauthorized`, why it was refused, and how it ended. */
export type Fate = 'authorized' | 'unauthorized' | `refused: ${string}` | `ended: ${string}`;

/** The socket of a dm3 client (socket.io 4; they use WebSockets only), with a record of all that it hears. */
export class LiveClient {
  readonly messages: AnyEnvelope[] = [];
  readonly fates: Fate[] = [];
  /** Who was said to be online (`bob.eth+`) or not (`bob.eth-`), in this order. */
  readonly news: string[] = [];
  readonly #socket: Socket;

  /** @param path where the delivery service's socket is, below the origin */
  constructor(origin: string, path: string, auth: Auth, transport: 'websocket' | 'polling' = 'websocket') {
    const options = { path, auth, transports: [transport], reconnection: false, forceNew: true };
    this.#socket = io(origin, options);
    this.#socket.on('message', (envelope: AnyEnvelope) => this.messages.push(envelope));
    this.#socket.on('presence', ({ ensName, online }: { ensName: string; online: boolean }) =>
      this.news.push(`${ensName}${online ? '+' : '-'}`),
    );
    this.#socket.on('authorized', () => this.fates.push('authorized'));
    this.#socket.on('unauthorized', () => this.fates.push('unauthorized'));
    this.#socket.on('connect_error', ({ message }) => this.fates.push(`refused: ${message}`));
    this.#socket.on('disconnect', (reason) => this.fates.push(`ended: ${reason}`));
  }

  /** Logged in, connected, and welcome. */
  static async of(client: RealClient, origin: string, path = '/socket.io'): Promise<LiveClient> {
    const live = new LiveClient(origin, path, { account: { ensName: client.name }, token: await client.logIn() });
    await live.becomes('authorized');
    return live;
  }

  /** Waits for the whole story so far to be this. */
  async become(...fates: Fate[]): Promise<void> {
    const story = fates.join(', ');
    await eventually(`${story} and not ${this.fates.join(', ')}`, async () => this.fates.join(', ') === story);
  }

  becomes(fate: Fate): Promise<unknown> {
    return eventually(`a socket to be ${fate}`, async () => this.fates.includes(fate));
  }

  /** Waits for so many messages. */
  hears(count: number): Promise<AnyEnvelope[]> {
    return eventually(`${count} messages`, async () => this.messages.length >= count && this.messages);
  }

  /** As clients do it: the envelope as an object, and the answer through the acknowledgement. */
  submit(data: unknown): Promise<{ response?: string; error?: string }> {
    return this.#socket.emitWithAck('submitMessage', data);
  }

  watch(data: unknown): Promise<{ response?: string; error?: string }> {
    return this.#socket.emitWithAck('watchPresence', data);
  }

  unwatch(data: unknown): Promise<{ response?: string; error?: string }> {
    return this.#socket.emitWithAck('unwatchPresence', data);
  }

  /** Waits for the last news to be this. */
  learns(news: string): Promise<unknown> {
    return eventually(`the news ${news}`, async () => this.news.at(-1) === news);
  }

  close(): void {
    this.#socket.close();
  }
}
