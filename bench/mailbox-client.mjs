import { signText } from '../dist/protocol/crypto/signature.js';
import { LOOPBACK } from '../dist/sandbox/ports.js';
import { Connection } from './connection.mjs';
import { isWhole } from './http-client.mjs';

/** Envelopes in one. */
export const PAGE = 10;

/** Somebody who reads a mailbox over one connection that stays open. */
export class MailboxClient {
  #connection;
  #name;
  #token;

  constructor(connection, name, token) {
    this.#connection = connection;
    this.#name = name;
    this.#token = token;
  }

  /** Logs in. @param person `{ name, keys }` */
  static async open(crypto, port, { name, keys }) {
    const url = `http://${LOOPBACK}:${port}/ds/auth/${name}`;
    const challenge = await (await fetch(url)).json();
    const signature = signText(crypto, keys.signing.privateKey, challenge);
    const headers = { 'content-type': 'application/json' };
    const login = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ challenge, signature }) });
    return new MailboxClient(await Connection.open(port, isWhole), name, await login.json());
  }

  /** The newest envelopes. */
  async page() {
    return JSON.parse(await this.#ask('GET', `incoming/${this.#name}?limit=${PAGE}`));
  }

  async acknowledge(messageHash) {
    const body = JSON.stringify({ acknowledgements: [{ messageHash }] });
    await this.#ask('POST', `${this.#name}/syncAcknowledgements`, body);
  }

  close() {
    this.#connection.close();
  }

  /** @returns the body of the answer */
  async #ask(method, path, body = '') {
    const head = [
      `${method} /ds/delivery/messages/${path} HTTP/1.1`,
      'Host: localhost',
      `Authorization: Bearer ${this.#token}`,
      ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`]),
    ];
    const answer = await this.#connection.exchange(`${head.join('\r\n')}\r\n\r\n${body}`);
    if (!answer.startsWith('HTTP/1.1 200')) throw new Error(answer);
    return answer.slice(answer.indexOf('\r\n\r\n') + 4);
  }
}
