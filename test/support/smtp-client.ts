import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { LOOPBACK } from '../../src/sandbox/ports.js';

export interface MailEnvelope {
  readonly from?: string;
  readonly to: string;
}

/** A mail server that sends, on a bare socket: it says what it is told, proper or not. */
export class SmtpClient {
  #text = '';
  #closed = false;
  #wake = () => {};

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      this.#text += chunk;
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Connected and greeted. */
  static async connect(port: number): Promise<SmtpClient> {
    const socket = connect(port, LOOPBACK);
    await once(socket, 'connect');
    const client = new SmtpClient(socket);
    await client.reply();
    await client.command('EHLO client.test');
    return client;
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** The next whole reply, without its last line end. */
  async reply(): Promise<string> {
    for (;;) {
      const whole = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(this.#text);
      if (whole) {
        this.#text = this.#text.slice(whole[0].length);
        return whole[0].trimEnd();
      }
      if (this.#closed) throw new Error(`The server hung up after ${JSON.stringify(this.#text)}.`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  command(line: string): Promise<string> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  /** One mail; the first reply that is a refusal, else the last one. */
  async deliver(mail: string | Buffer, envelope: MailEnvelope): Promise<string> {
    const refusal = await this.begin(envelope);
    return refusal ?? this.finish(mail);
  }

  /** Up to DATA. @returns the refusal, or null when the mail may follow */
  async begin({ from = 'carol@example.com', to }: MailEnvelope): Promise<string | null> {
    for (const line of [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, 'DATA']) {
      const reply = await this.command(line);
      if (/^[23]/.test(reply)) continue;
      await this.command('RSET');
      return reply;
    }
    return null;
  }

  /** The mail's bytes, dot-stuffed (RFC 5321 §4.5.2) and ended. */
  finish(mail: string | Buffer): Promise<string> {
    const text = Buffer.from(mail)
      .toString('latin1')
      .replace(/(^|\r\n)\./g, '$1..');
    this.write(Buffer.from(`${text.replace(/\r\n$/, '')}\r\n.\r\n`, 'latin1'));
    return this.reply();
  }

  /** The reply to RCPT alone. */
  async recipient(to: string, from = 'carol@example.com'): Promise<string> {
    await this.command(`MAIL FROM:<${from}>`);
    const reply = await this.command(`RCPT TO:<${to}>`);
    await this.command('RSET');
    return reply;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Lines end in CR LF, whatever they ended in. */
export function crlf(text: string | Buffer): Buffer {
  return Buffer.from(Buffer.from(text).toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
}
