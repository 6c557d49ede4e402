import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { eventually } from '../../../test/support/eventually.js';
import type { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import { emailConfigSchema, type EmailConfigInput } from './config.js';
import type { DnsResolver } from './dns.js';
import { MailSender } from './sender.js';

const RAW = Buffer.from(`Subject: x\r\n\r\n.\r\n..dots\r\n${'long line '.repeat(10_000)}\r\n`);
const MAIL = { envelope: { from: 'b+token@mail.test', to: 'alice@example.com' }, raw: RAW };
const closers: (() => Promise<void>)[] = [];
afterEach(async () => void (await Promise.all(closers.splice(0).map((close) => close()))));

interface Taken {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  readonly raw: Buffer;
}

async function peer(options: SMTPServerOptions = {}): Promise<{ port: number; taken: Taken[] }> {
  const taken: Taken[] = [];
  const server = new SMTPServer({
    logger: false,
    disableReverseLookup: true,
    authOptional: true,
    closeTimeout: 100,
    onData: (stream, { envelope, secure }, callback) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
        taken.push({ from, to: envelope.rcptTo.map(({ address }) => address), secure, raw: Buffer.concat(chunks) });
        callback();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return { port: (server.server.address() as AddressInfo).port, taken };
}

/** A server that says what it is told, whatever the client does. */
async function rawPeer(talk: (socket: Socket) => void): Promise<{ port: number }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    talk(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return { port: (server.address() as AddressInfo).port };
}

const local: DnsResolver = async (name, rrtype) => {
  if (rrtype === 'MX') return [{ exchange: 'mx.example.com', priority: 1 }];
  if (rrtype === 'A') return ['127.0.0.1'];
  throw Object.assign(new Error('none'), { code: 'ENODATA' });
};

function sender(outgoing: EmailConfigInput['outgoing'], resolver = local): MailSender {
  const config = emailConfigSchema.parse({ domains: ['mail.test'], outgoing });
  return new MailSender({ config: config.outgoing, hostname: 'mail.test', resolver });
}
const toPort = (port: number, resolver?: DnsResolver) =>
  sender({ port, allowPrivate: true, timeoutSeconds: 5 }, resolver);

async function failure(work: Promise<void>): Promise<DeliveryFailedError> {
  return work.then(
    () => Promise.reject(new Error('it was delivered')),
    (error: unknown) => error as DeliveryFailedError,
  );
}

const reject = (responseCode: number, text: string) => Object.assign(new Error(text), { responseCode });

describe('MailSender', () => {
  it('hands the bytes over as they are, encrypted where the server offers it', async () => {
    const { port, taken } = await peer();
    await toPort(port).send(MAIL);
    expect(taken).toHaveLength(1);
    expect(taken[0]).toMatchObject({ from: 'b+token@mail.test', to: ['alice@example.com'], secure: true });
    expect(taken[0]!.raw.equals(RAW)).toBe(true);
  });

  it('does without encryption where there is none, and sends notices from nobody', async () => {
    const { port, taken } = await peer({ disabledCommands: ['STARTTLS'] });
    await toPort(port).send({ ...MAIL, envelope: { from: '', to: 'alice@example.com' } });
    expect(taken[0]).toMatchObject({ from: '', secure: false });
  });

  it('reports a refusal in the words of the server', async () => {
    const { port } = await peer({ onRcptTo: (_, __, callback) => callback(reject(550, 'no such user here')) });
    const error = await failure(toPort(port).send(MAIL));
    expect(error).toMatchObject({ code: 'MAIL_REFUSED', retryable: false, certainty: 'certain' });
    expect(error.message).toContain('550 no such user here');
  });

  it('reports a refusal of the content', async () => {
    const { port } = await peer({ onData: (_, __, callback) => callback(reject(554, 'spam')) });
    expect(await failure(toPort(port).send(MAIL))).toMatchObject({ code: 'MAIL_REFUSED', retryable: false });
  });

  it('comes back when asked to', async () => {
    const { port } = await peer({ onMailFrom: (_, __, callback) => callback(reject(451, 'greylisted')) });
    expect(await failure(toPort(port).send(MAIL))).toMatchObject({
      code: 'MAIL_DEFERRED',
      retryable: true,
      certainty: 'certain',
    });
  });

  it('does not try what is larger than the server says it takes', async () => {
    const { port } = await peer({ size: 1_000 });
    expect(await failure(toPort(port).send(MAIL))).toMatchObject({ code: 'MAIL_REFUSED', retryable: false });
  });

  it('takes a refused connection for a passing trouble', async () => {
    const { port } = await peer({ onConnect: (_, callback) => callback(reject(554, 'not you')) });
    expect(await failure(toPort(port).send(MAIL))).toMatchObject({ code: 'MAIL_DEFERRED', retryable: true });
  });

  it('goes to the next server when one is down', async () => {
    const { port, taken } = await peer();
    const two: DnsResolver = async (name, rrtype) => {
      if (rrtype === 'MX')
        return [
          { exchange: 'down.test', priority: 1 },
          { exchange: 'up.test', priority: 2 },
        ];
      if (rrtype === 'A') return [name === 'down.test' ? '127.0.0.2' : '127.0.0.1'];
      return [];
    };
    await toPort(port, two).send(MAIL);
    expect(taken).toHaveLength(1);
  });

  it('knows that nothing was delivered when the connection breaks early', async () => {
    const { port } = await rawPeer((socket) => socket.end('220 hello\r\n'));
    expect(await failure(toPort(port).send(MAIL))).toMatchObject({
      code: 'MAIL_HOST_UNREACHABLE',
      retryable: true,
      certainty: 'certain',
    });
  });

  it('knows that it does not know when the connection breaks after the last byte', async () => {
    const { port } = await rawPeer((socket) => {
      let received = '';
      let inData = false;
      socket.write('220 hello\r\n');
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
        if (inData) {
          if (received.endsWith('\r\n.\r\n')) socket.destroy();
          return;
        }
        inData = received.endsWith('DATA\r\n');
        socket.write(inData ? '354 go on\r\n' : '250 fine\r\n');
      });
    });
    expect(await failure(toPort(port).send(MAIL))).toMatchObject({ retryable: true, certainty: 'uncertain' });
  });

  it('does not wait for ever for a silent server', async () => {
    const { port } = await rawPeer(() => {});
    const patient = sender({ port, allowPrivate: true, timeoutSeconds: 1 });
    expect(await failure(patient.send(MAIL))).toMatchObject({ code: 'MAIL_HOST_UNREACHABLE', retryable: true });
  });

  it('breaks off what takes too long when it stops, tries nobody else, and sends again after a start', async () => {
    const arrived: Socket[] = [];
    const silent = await rawPeer((socket) => void arrived.push(socket));
    const stopped = sender({ port: silent.port, allowPrivate: true, timeoutSeconds: 600 });
    const failed = failure(stopped.send(MAIL));
    await eventually('the connection', async () => arrived.length === 1);
    await stopped.stop(10);
    expect(await failed).toMatchObject({ code: 'MAIL_HOST_UNREACHABLE', retryable: true, certainty: 'certain' });
    expect(await failure(stopped.send(MAIL))).toMatchObject({ retryable: true });
    expect(arrived).toHaveLength(1);

    stopped.start();
    void stopped.send(MAIL).catch(() => {});
    await eventually('the next connection', async () => arrived.length === 2);
  });

  it('does not go to private addresses', async () => {
    const { port, taken } = await peer();
    expect(await failure(sender({ port }).send(MAIL))).toMatchObject({ code: 'MAIL_HOST_PRIVATE', retryable: false });
    expect(taken).toEqual([]);
  });
});

describe('MailSender with a smart host', () => {
  it('sends everything there', async () => {
    const { port, taken } = await peer({ disabledCommands: ['STARTTLS'] });
    await sender({ smartHost: { host: '127.0.0.1', port } }).send(MAIL);
    expect(taken).toMatchObject([{ to: ['alice@example.com'] }]);
  });

  it('never sends a password in the clear', async () => {
    const logins: string[] = [];
    const { port, taken } = await peer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: ({ username }, _, callback) => {
        logins.push(username ?? '');
        callback(null, { user: username });
      },
    });
    const smartHost = { host: '127.0.0.1', port, user: 'me', pass: 'secret' };
    expect(await failure(sender({ smartHost }).send(MAIL))).toMatchObject({ retryable: true });
    expect({ logins, taken }).toEqual({ logins: [], taken: [] });
  });
});
