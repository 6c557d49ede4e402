import { once } from 'node:events';
import net from 'node:net';

/** A TCP connection for one exchange after the other. */
export class Connection {
  #received = '';
  #settle = null;

  constructor(socket, isWhole) {
    this.socket = socket;
    this.isWhole = isWhole;
    socket.setEncoding('latin1');
    socket.on('data', (text) => this.#take(text));
    socket.on('error', (error) => this.#settle?.reject(error));
    socket.on('close', () => this.#settle?.reject(new Error('The server closed the connection.')));
  }

  /** @param {(text: string) => boolean} isWhole whether what was received is a whole answer */
  static async open(port, isWhole) {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new Connection(socket, isWhole);
  }

  /** Writes and resolves with the answer. */
  exchange(bytes) {
    this.socket.write(bytes);
    return this.answer();
  }

  answer() {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#take('');
    });
  }

  close() {
    this.#settle = null;
    this.socket.destroy();
  }

  #take(text) {
    this.#received += text;
    if (!this.#settle || !this.isWhole(this.#received)) return;
    const [{ resolve }, whole] = [this.#settle, this.#received];
    this.#received = '';
    this.#settle = null;
    resolve(whole);
  }
}
