import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { sendJson, startHttpServer, type TestServer } from './http-server.js';

export type RpcOutcome =
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string; readonly data?: string | undefined } };

interface RpcRequest {
  readonly id: number;
  readonly method: string;
}

/** An Ethereum node of a test's own, which says what it is told to say. */
export class FakeNode {
  chainId = 1;
  /** Unix seconds of its newest block. */
  headTime = 1_700_000_000;
  /** What it answers to all but the two questions above. */
  answer: () => RpcOutcome = () => ({ result: '0x' });
  /** What it does instead of any answer. */
  trouble: TestServer['handler'] | null = null;
  /** Methods it was asked for, oldest first. */
  readonly asked: string[] = [];
  /** Headers of the last request. */
  headers: IncomingMessage['headers'] = {};

  private constructor(private readonly server: TestServer) {}

  static async start(): Promise<FakeNode> {
    const server = await startHttpServer();
    const node = new FakeNode(server);
    server.handler = (request, response) => void node.#handle(request, response);
    return node;
  }

  get url(): string {
    return this.server.url;
  }

  /** How logs, health and metrics call it. */
  get label(): string {
    return new URL(this.url).host;
  }

  /** How often it was asked for anything but its chain. */
  get calls(): number {
    return this.asked.filter((method) => method !== 'eth_chainId').length;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.headers = request.headers;
    const asked = (await json(request)) as RpcRequest | RpcRequest[];
    this.asked.push(...[asked].flat().map(({ method }) => method));
    if (this.trouble) return this.trouble(request, response);
    const outcomes = [asked].flat().map(({ id, method }) => ({ jsonrpc: '2.0', id, ...this.#outcomeOf(method) }));
    return sendJson(response, Array.isArray(asked) ? outcomes : outcomes[0]);
  }

  #outcomeOf(method: string): RpcOutcome {
    if (method === 'eth_chainId') return { result: `0x${this.chainId.toString(16)}` };
    if (method === 'eth_getBlockByNumber') return { result: { timestamp: `0x${this.headTime.toString(16)}` } };
    return this.answer();
  }
}

export const failing = (code: number, message: string, data?: string): (() => RpcOutcome) => {
  return () => ({ error: { code, message, data } });
};

/** Ways in which a node gives no answer at all. */
export const TROUBLES: readonly (readonly [string, TestServer['handler'], string])[] = [
  ['throttles', (_, response) => sendJson(response, {}, 429), 'HTTP_429'],
  ['is broken', (_, response) => sendJson(response, {}, 503), 'HTTP_503'],
  ['breaks off', (request) => void request.socket.destroy(), 'UND_ERR_SOCKET'],
  ['answers with a web page', (_, response) => void response.end('<html>'), 'BAD_ANSWER'],
  ['answers something else', (_, response) => sendJson(response, { jsonrpc: '2.0', id: 'x' }), 'BAD_ANSWER'],
];
