import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { GatewayError, isRetryable } from '../../../src/common/errors.js';
import type { GatewayPort, Rendering } from '../../../src/gateway/adapter/adapter.js';
import { DeliveryFailedError } from '../../../src/gateway/adapter/errors.js';
import { FakeNetwork, type FakeLetter } from '../../contract/fake-network.js';

const PATIENCE_MS = 2_000;

/** The adapter of the fake network in a process of the service: its people are in another one, behind HTTP. */
export class DistantNetwork extends FakeNetwork {
  readonly #server = createServer((request, response) => void this.#take(request, response));
  readonly #farSide: string;
  readonly #listenPort: number;

  /** @param farSide where parcels go @param listenPort where letters come in */
  constructor(farSide: string, listenPort: number) {
    super();
    [this.#farSide, this.#listenPort] = [farSide, listenPort];
  }

  override async start(port: GatewayPort): Promise<void> {
    await super.start(port);
    this.#server.listen(this.#listenPort, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  override async stop(): Promise<void> {
    this.#server.close();
    await super.stop();
  }

  override async send({ body }: Rendering): Promise<void> {
    const status = await this.#post(body);
    if (status === 200) return;
    const isRefusal = status === 410;
    const reason = isRefusal ? 'The receiver takes no messages.' : 'The fake network could not take it now.';
    throw new DeliveryFailedError({ code: isRefusal ? 'REFUSED' : 'BUSY', reason, retryable: !isRefusal });
  }

  /** The status; 0 if there was no answer. */
  async #post(body: Uint8Array): Promise<number> {
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const response = await fetch(this.#farSide, { method: 'POST', body: Buffer.from(body), signal });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return 0;
    }
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.write((await json(request)) as FakeLetter);
      response.writeHead(200).end();
    } catch (error) {
      const code = error instanceof GatewayError ? error.code : 'FAULT';
      response.writeHead(isRetryable(error) ? 503 : 400).end(code);
    }
  }
}
