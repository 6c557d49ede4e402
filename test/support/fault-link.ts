import { EventEmitter, once } from 'node:events';
import { connect, createServer, type AddressInfo, type NetConnectOpts, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { LOOPBACK } from '../../src/sandbox/ports.js';

/** The way to a peer over TCP, which a test can disturb. It starts in order. */
export class FaultLink {
  readonly host = LOOPBACK;
  /** How many pieces, and connections, came to feel that it was disturbed. A connection that is refused never came. */
  disturbed = 0;
  readonly #sockets = new Set<Socket>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #server: Server | null = null;
  #isStalled = false;
  #pauseMs = 0;
  #bytesLeft = Infinity;
  #muteAt: { readonly text: string; readonly seen: () => void } | null = null;
  #isMuted = false;
  #answer: string | null = null;

  private constructor(
    private readonly target: NetConnectOpts,
    readonly port: number,
  ) {}

  /** @param target a port, or the path of a unix socket */
  static async open(target: NetConnectOpts): Promise<FaultLink> {
    const reserved = createServer().listen(0, LOOPBACK);
    await once(reserved, 'listening');
    const link = new FaultLink(target, (reserved.address() as AddressInfo).port);
    reserved.close();
    await once(reserved, 'close');
    await link.mend();
    return link;
  }

  /** Nobody listens there, and whoever was connected is hung up on. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    server?.close();
    this.#hangUp();
    if (server) await once(server, 'close');
  }

  /** Connections are taken and kept; nothing comes through, in either direction. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Every piece takes so much longer. */
  slow(milliseconds: number): void {
    this.#pauseMs = milliseconds;
  }

  /** After so many more bytes towards the peer all connections break off, in the middle of whatever was said. */
  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes;
  }

  /**
   * The peer gets the next request that holds this text, and nothing it says from then on comes back.
   * @returns when it went through
   */
  async loseAnswerTo(text: string): Promise<void> {
    await new Promise<void>((seen) => (this.#muteAt = { text, seen }));
  }

  /** Whoever says something is answered so by somebody in between, and hung up on; the peer hears nothing of it. */
  answerWith(text: string): void {
    this.#answer = text;
    this.#hangUp();
  }

  /** All is well again; what was stalled goes on. */
  async mend(): Promise<void> {
    this.#isStalled = false;
    this.#pauseMs = 0;
    this.#bytesLeft = Infinity;
    this.#muteAt = null;
    this.#isMuted = false;
    this.#answer = null;
    this.#changes.emit('change');
    if (this.#server) return;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#join(near)).listen(this.port, LOOPBACK);
    await once(this.#server, 'listening');
  }

  async close(): Promise<void> {
    await this.refuse();
    this.#changes.emit('change');
  }

  #join(near: Socket): void {
    if (this.#answer !== null) return this.#brushOff(near, this.#answer);
    const far = connect({ ...this.target, allowHalfOpen: true });
    const hangUp = () => [near, far].forEach((socket) => socket.destroy());
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', hangUp).on('close', () => this.#sockets.delete(socket));
    }
    this.#carry(near, far, (chunk) => this.#spend(chunk)).catch(hangUp);
    this.#carry(far, near, (chunk) => (this.#isMuted ? chunk.subarray(0, 0) : chunk)).catch(hangUp);
  }

  #brushOff(near: Socket, answer: string): void {
    this.#sockets.add(near);
    near.on('error', () => near.destroy()).on('close', () => this.#sockets.delete(near));
    near.once('data', () => {
      this.disturbed += 1;
      near.end(answer);
    });
  }

  /** @param allow what of a piece goes through */
  async #carry(from: Socket, to: Socket, allow: (chunk: Buffer) => Buffer): Promise<void> {
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      if (this.#pauseMs > 0 || this.#isStalled) this.disturbed += 1;
      if (this.#pauseMs > 0) await delay(this.#pauseMs);
      await this.#untilFlowing();
      to.write(allow(chunk as Buffer));
    }
    await this.#untilFlowing();
    to.end();
  }

  async #untilFlowing(): Promise<void> {
    while (this.#isStalled) await once(this.#changes, 'change');
  }

  #spend(chunk: Buffer): Buffer {
    if (this.#muteAt && chunk.includes(this.#muteAt.text)) {
      this.#isMuted = true;
      this.#muteAt.seen();
      this.#muteAt = null;
    }
    const allowed = chunk.subarray(0, this.#bytesLeft);
    this.#bytesLeft -= allowed.length;
    if (this.#bytesLeft === 0) setImmediate(() => this.#hangUp());
    return allowed;
  }

  #hangUp(): void {
    this.disturbed += this.#sockets.size;
    for (const socket of this.#sockets) socket.destroy();
  }
}
