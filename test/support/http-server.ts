import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server of one test's own on a free loopback port. */
export interface TestServer {
  /** Without a slash at its end. */
  readonly url: string;
  readonly port: number;
  /** What it does with a request; tests change it. */
  handler: (request: IncomingMessage, response: ServerResponse) => void;
  stop(): Promise<void>;
}

export async function startHttpServer(
  handler: TestServer['handler'] = (_, response) => response.end(),
): Promise<TestServer> {
  const server = createServer((request, response) => void answer(running.handler, request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const running: TestServer = {
    url: `http://127.0.0.1:${port}`,
    port,
    handler,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return running;
}

/** A client that dies in the middle of its request is nobody's fault. */
async function answer(handler: TestServer['handler'], request: IncomingMessage, response: ServerResponse) {
  try {
    const work: unknown = handler(request, response); // often a promise, of whose failure nobody else would hear
    await work;
  } catch (error) {
    if (!request.destroyed || request.complete) throw error;
  }
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
