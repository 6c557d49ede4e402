import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { OutboxWorker } from '../src/outbox/outbox-worker.js';
import type { Envelope } from '../src/protocol/envelope/envelope.js';
import { rpcRequest } from '../src/protocol/json-rpc/json-rpc.js';
import { freePort, LOOPBACK } from '../src/sandbox/ports.js';
import { emailConfigSchema } from '../src/adapters/email/config.js';
import { Correspondent } from './support/correspondent.js';
import { RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { GatewayProcess } from './support/gateway-process.js';
import { ask } from './support/http-answer.js';
import { LiveClient } from './support/live-client.js';
import { MailServer } from './support/mail-server.js';
import type { Ending } from './support/program.js';
import { SmtpClient } from './support/smtp-client.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const CAROL = 'carol._at.example.com.email.gateway.eth';
const ROUNDS = 4;
const PER_KIND = 12;
const HEADER = 'From: carol@example.com\r\nSubject: Hi\r\n';

let world: TestGateway;
let home: string;
let smtpPort: number;
let mailServer: MailServer;
let alice: Correspondent;
let bob: Correspondent;
let gateway: GatewayProcess;

beforeAll(async () => {
  home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-graceful-'));
  mailServer = await MailServer.reserve();
  await mailServer.start();
  world = await TestGateway.create();
  await world.running.app.get(OutboxWorker).stop(); // the queue is the other process's
  smtpPort = await freePort();
  [alice, bob] = [new Correspondent(world, world.alice), new Correspondent(world, world.bob)];
});
afterEach(async () => {
  await gateway.kill();
  mailServer.letGo();
  await new Promise(setImmediate); // what it held is in its list now
  mailServer.mails.splice(0);
  mailServer.attempts.splice(0);
});
afterAll(async () => {
  await world?.stop();
  await mailServer.stop();
  rmSync(home, { recursive: true, force: true });
});

interface Options {
  readonly shutdown?: { readinessGraceSeconds?: number; requestSeconds?: number; limitSeconds?: number };
  /** How long mail under way may take. */
  readonly mailSeconds?: number;
  readonly roles?: readonly string[];
}

async function start({ shutdown, mailSeconds = 10, roles }: Options = {}): Promise<void> {
  const email = {
    domains: [DOMAIN],
    listen: { host: LOOPBACK, port: smtpPort },
    outgoing: { smartHost: mailServer.address },
    timeouts: { shutdownSeconds: mailSeconds },
  };
  const settings = { shutdown: { readinessGraceSeconds: 0, ...shutdown }, logLevel: 'info' as const };
  gateway = await GatewayProcess.start(world, home, { roles, settings, email: emailConfigSchema.parse(email) });
}

/** What becomes of it after the signal. */
const askToStop = (signal: NodeJS.Signals = 'SIGTERM'): Promise<Ending> => gateway.program.kill(signal);

const eventsOf = ({ stderr }: Pick<Ending, 'stderr'>): { event: string; component?: string; code?: string }[] =>
  stderr.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as { event: string }] : []));
const namesOf = (ending: Ending): string[] => eventsOf(ending).map(({ event }) => event);

const isClosed = async (port: number): Promise<boolean> => {
  const socket = connect(port, LOOPBACK);
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
};
const httpPort = (): number => Number(new URL(gateway.url).port);
const doorsClosed = () =>
  eventually('closed doors', async () => (await isClosed(httpPort())) && (await isClosed(smtpPort)));

/** An HTTP client on a bare socket, and what it has heard so far. */
function rawClient(): { socket: Socket; heard: () => string; ended: Promise<unknown> } {
  const socket = connect(httpPort(), LOOPBACK);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => {});
  return { socket, heard: () => text, ended: new Promise((resolve) => socket.once('close', resolve)) };
}

const bodyOf = (envelope: Envelope): string =>
  JSON.stringify(rpcRequest('dm3_submitMessage', [JSON.stringify(envelope)]));
const postOf = (body: string): string =>
  `POST /ds/rpc HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;

async function bobsTexts(): Promise<string[]> {
  return (await bob.inbox()).map(({ message }) => message.message!.split('\n\n').at(-1)!);
}

async function mailedTexts(): Promise<string[]> {
  const parsed = await Promise.all(mailServer.mails.map(({ raw }) => simpleParser(raw)));
  return parsed.map(({ text }) => text!.trim());
}

const queued = async () =>
  world.db.query<{ free: boolean; attempts: number }>(
    `SELECT l.head_id IS NULL AS free, i.attempts FROM outbox_item i LEFT JOIN outbox_lease l USING (head_id)`,
  );

describe('A gateway that is asked to stop', () => {
  it('says first that it wants no more traffic, while it goes on serving', async () => {
    await start({ shutdown: { readinessGraceSeconds: 3 } });
    const ended = askToStop();
    const ready = () => ask(`${gateway.url}/health/ready`);
    const red = await eventually('red', async () => ready().then((answer) => answer.status === 503 && answer));
    expect(red.json).toEqual({ status: 'shutting_down', details: {} });
    expect(red.headers.get('connection')).toBe('close');
    expect(await ask(`${gateway.url}/health/live`)).toMatchObject({ status: 200, json: { status: 'ok' } });
    const client = await SmtpClient.connect(smtpPort);
    expect(await client.deliver(`${HEADER}\r\nlate`, { to: `bob.eth@${DOMAIN}` })).toMatch(/^250 /);
    expect((await ended).code).toBe(0);
    await start();
    await eventually('the mail', async () => (await bobsTexts()).includes('late'));
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('finishes requests and mail under way after %s', async (signal) => {
    await start();
    const body = bodyOf(await alice.envelope({ to: 'bob.eth', text: `uploaded slowly, ${signal}` }));
    const http = rawClient();
    http.socket.write(postOf(body) + body.slice(0, 100));
    const smtp = await SmtpClient.connect(smtpPort);
    expect(await smtp.begin({ to: `bob.eth@${DOMAIN}` })).toBeNull();
    smtp.write(`${HEADER}\r\n`);
    await ask(`${gateway.url}/health/live`); // it has read what came before

    const ended = askToStop(signal);
    await doorsClosed();
    http.socket.write(body.slice(100));
    await http.ended;
    expect(http.heard()).toMatch(/^HTTP\/1\.1 200 /);
    expect(http.heard()).toMatch(/\r\nconnection: close\r\n/i);
    expect(http.heard()).toContain('"result":"OK"');
    expect(await smtp.finish(`mailed slowly, ${signal}`)).toMatch(/^250 /);
    expect(await smtp.reply()).toMatch(/^421 4\.3\.2 /);
    const ending = await ended;
    expect(ending.code).toBe(0);
    expect(namesOf(ending).slice(-1)).toEqual(['gateway.stopped']);
    expect(await bobsTexts()).toContain(`uploaded slowly, ${signal}`);
    await start();
    await eventually('the mail', async () => (await bobsTexts()).includes(`mailed slowly, ${signal}`));
  });

  it('sends everybody away who is only connected', async () => {
    await start();
    const real = await RealClient.create(world, world.bob);
    const live = await LiveClient.of(real, gateway.url);
    const [asked, silent] = [rawClient(), rawClient()];
    asked.socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually('an answer', async () => asked.heard().includes('"ok"'));
    const smtp = await SmtpClient.connect(smtpPort);

    const ended = askToStop();
    await live.become('authorized', 'ended: transport close'); // after which clients connect again
    expect(await smtp.reply()).toMatch(/^421 4\.3\.2 /);
    await Promise.all([asked.ended, silent.ended]);
    smtp.close();
    const ending = await ended;
    expect(ending.code).toBe(0);
    expect(namesOf(ending)).not.toContain('http.requests-cut');
  });

  it('cuts off who does not finish, which is no failure: nothing was promised', async () => {
    await start({ shutdown: { requestSeconds: 1 } });
    const http = rawClient();
    http.socket.write(`${postOf('x'.repeat(100))}x`);
    await ask(`${gateway.url}/health/live`);
    const ending = await askToStop();
    expect(ending.code).toBe(0);
    expect(eventsOf(ending)).toContainEqual(expect.objectContaining({ event: 'http.requests-cut', component: 'http' }));
  });

  it('finishes what it was delivering', async () => {
    await start();
    mailServer.mood = 'holds';
    await alice.send({ to: CAROL, text: 'on its way' });
    await eventually('an attempt', async () => mailServer.attempts.length === 1);
    const ended = askToStop();
    await doorsClosed();
    mailServer.letGo();
    expect((await ended).code).toBe(0);
    expect(await mailedTexts()).toEqual(['on its way']);
    expect(await queued()).toEqual([]);
  });

  it.each(['all', 'worker'])(
    'gives back what it cannot finish as %s, and the next one goes on with it',
    async (role) => {
      await start({ mailSeconds: 1, roles: [role] });
      mailServer.mood = 'holds';
      await alice.send({ to: CAROL, text: 'given back' });
      await eventually('an attempt', async () => mailServer.attempts.length === 1);
      expect((await askToStop()).code).toBe(0);
      expect(await queued()).toEqual([{ free: true, attempts: 1 }]);

      mailServer.mood = 'takes';
      await start();
      await eventually('the mail', async () => mailServer.mails.length === 1);
      expect((await askToStop()).code).toBe(0);
      expect(await mailedTexts()).toEqual(['given back']);
    },
  );

  it('gives up when its time is over, and says what it was waiting for', async () => {
    await start({ shutdown: { requestSeconds: 1, limitSeconds: 2 } });
    mailServer.mood = 'holds';
    await alice.send({ to: CAROL, text: 'taken too late' });
    await eventually('an attempt', async () => mailServer.attempts.length === 1);
    const ending = await askToStop();
    expect(ending.code).toBe(1);
    expect(eventsOf(ending).at(-1)).toMatchObject({
      event: 'gateway.stop-overdue',
      code: 'STOP_OVERDUE',
      component: expect.stringMatching(/^(email queue|queue email)$/),
    });
    expect(await queued()).toEqual([{ free: false, attempts: 0 }]); // until it is taken over
    await world.db.query('DELETE FROM outbox_item');
    await world.db.query('DELETE FROM outbox_head');
  });

  it('ends at once when it is asked a second time', async () => {
    await start({ shutdown: { readinessGraceSeconds: 290, limitSeconds: 1_000 } });
    void askToStop();
    await eventually('red', async () => (await ask(`${gateway.url}/health/ready`)).status === 503);
    const ending = await askToStop();
    expect(ending.code).toBe(1);
    expect(namesOf(ending)).not.toContain('gateway.stopped');
  });
});

describe(`A gateway that is stopped and started ${ROUNDS} times under traffic`, () => {
  interface Piece {
    readonly text: string;
    /** The same each time: whoever has heard no answer cannot know. Tells whether it was taken. */
    handIn(): Promise<boolean>;
  }

  it('loses nothing and delivers nothing twice', async () => {
    const before = await bobsTexts();
    await start();
    const pieces: Piece[] = [];
    let unanswered: Piece[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const fresh = await newPieces(round);
      pieces.push(...fresh);
      unanswered = await handInUntilStopped([...unanswered, ...fresh]);
      await start();
    }
    expect(await Promise.all(unanswered.map((piece) => piece.handIn()))).toEqual(unanswered.map(() => true));
    await eventually('an empty queue', async () => (await queued()).length === 0, { patienceMs: 60_000 });
    const arrived = [...(await bobsTexts()).filter((text) => !before.includes(text)), ...(await mailedTexts())];
    expect(arrived.sort()).toEqual(pieces.map(({ text }) => text).sort());
  }, 240_000);

  /** All at once; the signal comes somewhere in between. @returns what was not taken */
  async function handInUntilStopped(all: readonly Piece[]): Promise<Piece[]> {
    const unanswered = new Set(all);
    const enough = all.length - randomInt(1, PER_KIND * 2);
    const ended: Promise<Ending>[] = [];
    const handIn = async (piece: Piece): Promise<void> => {
      if (!(await piece.handIn().catch(() => false))) return;
      unanswered.delete(piece);
      if (unanswered.size === enough) ended.push(askToStop());
    };
    await Promise.all(all.map(handIn));
    expect(await ended[0]).toMatchObject({ code: 0 });
    return [...unanswered];
  }

  async function newPieces(round: number): Promise<Piece[]> {
    const many = (kind: string) => Array.from({ length: PER_KIND }, (_, index) => `${kind} ${round}-${index}`);
    return [
      ...(await Promise.all(many('letter').map((text) => letter(text, 'bob.eth')))),
      ...(await Promise.all(many('letter out').map((text) => letter(text, CAROL)))),
      ...many('mail').map(mail),
    ];
  }

  async function letter(text: string, to: string): Promise<Piece> {
    const body = bodyOf(await alice.envelope({ to, text }));
    const handIn = async () => {
      const { json } = await ask(`${gateway.url}/ds/rpc`, { body });
      return (json as { result?: unknown }).result === 'OK';
    };
    return { text, handIn };
  }

  function mail(text: string): Piece {
    const bytes = `${HEADER}Message-ID: <${text.replace(' ', '-')}@example.com>\r\n\r\n${text}`;
    const handIn = async () => {
      const client = await SmtpClient.connect(smtpPort);
      try {
        return (await client.deliver(bytes, { to: `bob.eth@${DOMAIN}` })).startsWith('250');
      } finally {
        client.close();
      }
    };
    return { text, handIn };
  }
});
