import { once } from 'node:events';
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerEnvelope } from 'smtp-server';
import { LOOPBACK } from './ports.js';

/** A mail that left the gateway, as its HTTP interface shows it. */
export interface CapturedMessage {
  /** Sorts by arrival. */
  readonly id: string;
  /** Envelope sender; empty for bounces. */
  readonly from: string;
  /** Envelope receivers. */
  readonly to: readonly string[];
  /** Decoded (RFC 2047). */
  readonly subject: string;
  /** The whole message, read as UTF-8. */
  readonly raw: string;
  /** ISO 8601. */
  readonly receivedAt: string;
}

export interface CapturedMail {
  /** `GET` lists the mails, oldest first; `DELETE` empties the mailbox. */
  readonly url: string;
  readonly smtp: { readonly host: string; readonly port: number };
  stop(): Promise<void>;
}

export interface CapturedMailOptions {
  /** One file per mail, kept between starts. */
  readonly dir: string;
  /** 0 has the system choose, here and below. */
  readonly smtpPort: number;
  readonly httpPort: number;
}

/** The world's mail servers, as far as the sandbox is concerned: takes every mail for everybody and shows it. */
export async function startCapturedMail({ dir, smtpPort, httpPort }: CapturedMailOptions): Promise<CapturedMail> {
  const mailbox = new Mailbox(dir);
  const smtp = smtpServer(mailbox);
  const api = http.createServer((request, response) => void answer(mailbox, request, response));
  const port = await listen(smtp.server, smtpPort);
  const apiPort = await listen(api, httpPort);
  const stop = async () => {
    const closed = Promise.all([new Promise<void>((resolve) => smtp.close(resolve)), once(api, 'close')]);
    api.close();
    api.closeAllConnections();
    await closed;
  };
  return { url: `http://${LOOPBACK}:${apiPort}/`, smtp: { host: LOOPBACK, port }, stop };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, LOOPBACK);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

class Mailbox {
  readonly #dir: string;
  #mails: CapturedMessage[];
  #lastId: number;

  constructor(dir: string) {
    this.#dir = dir;
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    const names = fs.readdirSync(dir).filter((name) => name.endsWith('.json'));
    this.#mails = names.map((name) => JSON.parse(fs.readFileSync(path.join(dir, name), 'utf8')) as CapturedMessage);
    this.#lastId = Math.max(0, ...this.#mails.map(({ id }) => Number(id)));
  }

  /** On disk for good once this resolves. */
  async add(mail: Omit<CapturedMessage, 'id'>): Promise<void> {
    this.#lastId = Math.max(this.#lastId + 1, Date.now() * 1000); // unique and rising even when the clock goes back
    const stored = { id: String(this.#lastId), ...mail };
    const unfinished = `${this.#file(stored)}.new`;
    await fsp.writeFile(unfinished, JSON.stringify(stored), { flush: true, mode: 0o600 });
    await fsp.rename(unfinished, this.#file(stored));
    await syncDirectory(this.#dir);
    this.#mails.push(stored);
  }

  list(): CapturedMessage[] {
    return this.#mails.toSorted((a, b) => Number(a.id) - Number(b.id));
  }

  async clear(): Promise<void> {
    const gone = this.#mails;
    this.#mails = [];
    await Promise.all(gone.map((mail) => fsp.rm(this.#file(mail), { force: true })));
  }

  #file({ id }: CapturedMessage): string {
    return path.join(this.#dir, `${id}.json`);
  }
}

/** A rename is durable once its directory is. */
async function syncDirectory(dir: string): Promise<void> {
  const handle = await fsp.open(dir);
  await handle.sync();
  await handle.close();
}

function smtpServer(mailbox: Mailbox): SMTPServer {
  const server = new SMTPServer({
    name: 'captured.localhost',
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 1000,
    onData: async (stream, session, callback) => callback(await receive(mailbox, stream, session.envelope)),
  });
  server.on('error', () => {}); // clients that hang up; without a listener they would end the process
  return server;
}

/** Resolves with what went wrong, which the client is told as a passing failure. */
async function receive(mailbox: Mailbox, stream: Readable, envelope: SMTPServerEnvelope): Promise<Error | null> {
  try {
    const raw = await buffer(stream);
    const { subject = '' } = await simpleParser(raw, {
      skipHtmlToText: true,
      skipTextToHtml: true,
      skipImageLinks: true,
    });
    const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
    const to = envelope.rcptTo.map(({ address }) => address);
    await mailbox.add({ from, to, subject, raw: raw.toString('utf8'), receivedAt: new Date().toISOString() });
    return null;
  } catch (error) {
    return error as Error;
  }
}

async function answer(mailbox: Mailbox, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (request.url !== '/') reply(response, 404, { error: 'The captured mail is at /.' });
    else if (request.method === 'GET') reply(response, 200, mailbox.list());
    else if (request.method === 'DELETE') response.writeHead(204).end(await mailbox.clear());
    else reply(response, 405, { error: 'GET lists the captured mail, DELETE empties it.' }, { allow: 'GET, DELETE' });
  } catch (error) {
    reply(response, 500, { error: (error as Error).message });
  }
}

function reply(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(`${JSON.stringify(body, null, 2)}\n`);
}
