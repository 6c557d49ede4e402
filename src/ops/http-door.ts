import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How often connections are looked for that have had their last answer. */
const SWEEP_MS = 50;
/** Whoever has connected and not asked yet may have a request on its way. */
const FIRST_REQUEST_MS = 1_000;

/**
 * An HTTP server's way out: whatever was asked is answered, on connections that end with the answer. Connections that
 * became WebSockets are in other hands, and a stop waits for them.
 */
export class HttpDoor {
  readonly #answers = new Set<ServerResponse>();
  readonly #silent = new Set<Socket>();
  #leaving = false;

  constructor(private readonly server: Server) {
    server.on('connection', (socket) => this.#greet(socket));
    // The first listener of all: socket.io takes its own requests away from those it finds.
    server.prependListener('request', (request, response) => this.#watch(request.socket, response));
  }

  /** From now on every answer is its connection's last one, so that few are left to be cut when the door closes. */
  leave(): void {
    this.#leaving = true;
    for (const response of this.#answers) endWith(response);
  }

  /** @returns how many requests were cut off because they were not answered within `patienceMs` */
  async close(patienceMs: number): Promise<number> {
    this.leave();
    let cut = 0;
    const sweep = setInterval(() => this.server.closeIdleConnections(), SWEEP_MS);
    const first = setTimeout(() => this.#hangUpOnSilent(), Math.min(FIRST_REQUEST_MS, patienceMs));
    const last = setTimeout(() => {
      cut = this.#answers.size;
      this.server.closeAllConnections();
    }, patienceMs);
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const timer of [sweep, first, last]) clearTimeout(timer);
    return cut;
  }

  #greet(socket: Socket): void {
    this.#silent.add(socket);
    socket.once('close', () => this.#silent.delete(socket));
  }

  #watch(socket: Socket, response: ServerResponse): void {
    this.#silent.delete(socket);
    this.#answers.add(response);
    response.once('close', () => this.#answers.delete(response));
    if (this.#leaving) endWith(response);
  }

  #hangUpOnSilent(): void {
    for (const socket of this.#silent) socket.destroy();
  }
}

/** RFC 9112 §9.6; too late where the head of the answer is already out: the sweep ends that connection. */
function endWith(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}
