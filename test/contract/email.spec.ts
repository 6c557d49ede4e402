import { generateKeyPairSync } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createTransport } from 'nodemailer';
import { SMTPServer } from 'smtp-server';
import { EmailAdapter } from '../../src/adapters/email/adapter.js';
import { emailConfigSchema } from '../../src/adapters/email/config.js';
import type { DnsResolver } from '../../src/adapters/email/dns.js';
import { emailCodec } from '../../src/naming/alias/email.js';
import { silentLog } from '../../src/ops/event-log.js';
import { describeAdapter, type AdapterWorld, type Letter, type Mood } from './adapter-contract.js';

const HOST = '127.0.0.1';
const NOW = Date.parse('2026-11-20T12:00:00Z');
const dkimKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

/** Alice's domain has its mail server on this machine, and says so in its SPF record. */
const dns: DnsResolver = async (name, type) => {
  if (name === 'example.com' && type === 'MX') return [{ exchange: 'mx.example.com', priority: 1 }];
  if (name === 'mx.example.com' && type === 'A') return [HOST];
  if (name === 'example.com' && type === 'TXT') return [[`v=spf1 ip4:${HOST} -all`]];
  throw Object.assign(new Error('There is no such record.'), { code: 'ENOTFOUND' });
};

/** The mail server of example.com. */
class AliceServer {
  readonly arrived: Buffer[] = [];
  mood: Mood = 'take';
  stalled = 0;
  readonly #changes = new EventEmitter();
  readonly #server = new SMTPServer({
    logger: false,
    disableReverseLookup: true,
    authOptional: true,
    closeTimeout: 100,
    onRcptTo: (_, session, callback) => {
      if (this.mood === 'lose') return void this.#hangUp(session.id);
      callback(REPLIES[this.mood]?.() ?? null);
    },
    onData: (stream, _, callback) => void this.#take(stream, callback),
  });

  async start(): Promise<void> {
    this.#server.on('error', () => {});
    this.#server.listen(0, HOST);
    await once(this.#server.server, 'listening');
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  setMood(mood: Mood): void {
    this.mood = mood;
    this.#changes.emit('change');
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(stream: NodeJS.ReadableStream, callback: () => void): Promise<void> {
    const raw = await buffer(stream);
    this.stalled += 1;
    while (this.mood === 'stall') await once(this.#changes, 'change');
    this.stalled -= 1;
    this.arrived.push(raw);
    callback();
  }

  #hangUp(id: string): void {
    for (const connection of this.#server.connections) if (connection.session.id === id) connection.close();
  }
}

const reply = (responseCode: number, text: string) => () => Object.assign(new Error(text), { responseCode });
const REPLIES: Partial<Record<Mood, () => Error>> = {
  refuse: reply(550, '5.1.1 No such user'),
  busy: reply(451, '4.7.1 Greylisted, come back later'),
};

describeAdapter('email', {
  codec: emailCodec,
  alice: emailCodec.canonical('alice@example.com'),
  elsewhere: emailCodec.canonical('dora@example.org'),
  async open(): Promise<AdapterWorld> {
    const server = new AliceServer();
    await server.start();
    const config = emailConfigSchema.parse({
      domains: ['gateway.test'],
      listen: { host: HOST, port: 0 },
      outgoing: { port: server.port, allowPrivate: true, timeoutSeconds: 5 },
      timeouts: { shutdownSeconds: 1 },
      dkim: { selector: 'test', privateKey: dkimKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
    });
    const secret = new Uint8Array(32).fill(7);
    const adapter = new EmailAdapter({ config, log: silentLog, clock: { now: () => NOW }, secret, resolver: dns });
    return {
      adapter,
      write: (letter) => sendMail(adapter.listeningPort!, letter),
      setMood: (mood) => server.setMood(mood),
      stalled: () => server.stalled,
      arrived: () => server.arrived,
      ports: () => [adapter.listeningPort!],
      close: () => server.stop(),
    };
  },
});

async function sendMail(port: number, { to, text, id, automatic }: Letter): Promise<void> {
  const transport = createTransport({ host: HOST, port, name: 'mx.example.com' });
  await transport.sendMail({
    from: 'Alice <alice@example.com>',
    to: `${to}@gateway.test`,
    subject: 'Greetings',
    text,
    date: new Date(NOW),
    messageId: `<${id}@example.com>`,
    headers: automatic ? { 'Auto-Submitted': 'auto-generated' } : {},
  });
}
