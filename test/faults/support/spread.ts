import { request as call, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { LOOPBACK } from '../../../src/sandbox/ports.js';
import { startHttpServer, type TestServer } from '../../support/http-server.js';

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** One port before several processes, as a proxy is: requests go to each in turn, or to the next one where nobody listens. */
export class Spread {
  /** How many requests each has answered, by its port. */
  readonly answered: Map<number, number>;
  #turn = 0;

  private constructor(
    private readonly server: TestServer,
    private readonly ports: readonly number[],
  ) {
    this.answered = new Map(ports.map((port) => [port, 0]));
  }

  static async open(ports: readonly number[]): Promise<Spread> {
    const server = await startHttpServer();
    const spread = new Spread(server, ports);
    server.handler = (request, response) => spread.#pass(request, response);
    return spread;
  }

  get port(): number {
    return this.server.port;
  }

  close(): Promise<void> {
    return this.server.stop();
  }

  /** One that breaks off in the middle is not asked again elsewhere: that is for whoever asked to decide. */
  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    this.#turn += 1;
    for (const [index] of this.ports.entries()) {
      const port = this.ports[(this.#turn + index) % this.ports.length]!;
      const answer = await ask(port, request, body).catch(isRefused);
      if (answer === 'refused') continue;
      if (answer === null) break;
      this.answered.set(port, this.answered.get(port)! + 1);
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
      return;
    }
    response.writeHead(502).end();
  }
}

function ask(port: number, { method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = call({ host: LOOPBACK, port, method, path: url, headers, agent: false }, (response) => {
      buffer(response).then((text) => resolve({ status: response.statusCode!, body: text }), reject);
    });
    request.on('error', reject).end(body);
  });
}

/** @returns null if it was reached and broke off */
function isRefused(error: NodeJS.ErrnoException): 'refused' | null {
  return error.code === 'ECONNREFUSED' ? 'refused' : null;
}
