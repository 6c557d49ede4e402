import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import type { SettingsInput } from '../src/config/settings.js';
import { freePort, LOOPBACK } from '../src/sandbox/ports.js';
import { Correspondent, type Letter } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { GatewayProcess, secretsOf } from './support/gateway-process.js';
import { ask } from './support/http-answer.js';
import { LiveClient } from './support/live-client.js';
import { MailServer } from './support/mail-server.js';
import { runOperator } from './support/program.js';
import { SmtpClient } from './support/smtp-client.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const CONCURRENCY = 4;
const FAST = { firstSeconds: 0.1, factor: 1.5, maxSeconds: 1 };

let world: TestGateway;
let home: string;
let mailServer: MailServer;
let smtpPort: number;
let api: GatewayProcess;
let emailIn: GatewayProcess;
let alice: Correspondent;
let bob: Correspondent;
const workers: GatewayProcess[] = [];

beforeAll(async () => {
  world = await TestGateway.create({ roles: ['api'] }); // for people to sign up with; nobody asks it for more
  home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-roles-'));
  mailServer = await MailServer.reserve();
  await mailServer.start();
  smtpPort = await freePort();
  [api, emailIn] = [await start('api'), await start('email-in')];
  const atApi = { crypto: world.crypto, running: world.running, deliveryServiceUrl: `${api.url}/ds` };
  [alice, bob] = [new Correspondent(atApi, world.alice), new Correspondent(atApi, world.bob)];
}, 120_000);
afterAll(async () => {
  for (const each of [api, emailIn, ...workers]) await each?.kill();
  await mailServer?.stop();
  await world?.stop();
  rmSync(home, { recursive: true, force: true });
});

/** All of them have the same configuration but for their ports. */
function start(...roles: string[]): Promise<GatewayProcess> {
  const outgoing = { ...world.email.outgoing, smartHost: { ...mailServer.address, secure: false }, timeoutSeconds: 3 };
  const email = { ...world.email, listen: { host: LOOPBACK, port: smtpPort }, outgoing };
  const delivery = {
    retry: { email: FAST, dm3: FAST },
    pollSeconds: 0.2,
    leaseSeconds: 2,
    concurrency: CONCURRENCY,
  };
  return GatewayProcess.start(world, home, { roles, email, settings: { delivery } });
}

async function startWorker(): Promise<GatewayProcess> {
  const worker = await start('worker');
  workers.push(worker);
  return worker;
}

async function mailBob(text: string): Promise<void> {
  const mail = `From: <carol@example.com>\r\nSubject: Hi\r\nMessage-ID: <${text}@example.com>\r\n\r\n${text}\r\n`;
  const client = await SmtpClient.connect(smtpPort);
  expect(await client.deliver(mail, { to: `bob.eth@${DOMAIN}` })).toMatch(/^250 /);
  client.close();
}

const lettersOfBob = async (text: string): Promise<Letter[]> =>
  (await bob.inbox()).filter(({ message }) => message.message?.includes(text));

const queued = async () => (await world.db.query('SELECT 1 FROM outbox_item')).length;

const isListening = async (port: number): Promise<boolean> => {
  const socket = connect(port, LOOPBACK);
  const open = once(socket, 'connect').then(
    () => true,
    () => false,
  );
  return open.finally(() => socket.destroy());
};

describe('processes of one role each', () => {
  it('take what is theirs, and leave the rest to others', async () => {
    await mailBob('nobody-works-yet');
    expect(await queued()).toBe(1);
    expect(await lettersOfBob('nobody-works-yet')).toEqual([]);
    await emailIn.stop();
    expect(await isListening(smtpPort)).toBe(false); // neither the api process, which has the same configuration
    emailIn = await start('email-in');
    expect(await isListening(smtpPort)).toBe(true);
  });

  it('bring a mail from one over another to a third', async () => {
    await startWorker();
    await eventually('the mail', async () => (await lettersOfBob('nobody-works-yet')).length === 1);
    expect(await queued()).toBe(0);
  });

  it('push what a worker delivers to a socket at another process', async () => {
    const auth = { account: { ensName: 'bob.eth' }, token: await bob.token() };
    const live = new LiveClient(api.url, '/socket.io', auth);
    await live.becomes('authorized');
    await mailBob('to-the-socket');
    await live.hears(1);
    live.close();
  });

  it('tell whoever watches them how they are, and open nothing else', async () => {
    for (const each of [workers[0]!, emailIn]) {
      for (const open of ['/health/live', '/health/ready', '/metrics', '/metrics?x=1']) {
        expect((await ask(`${each.url}${open}`)).status).toBe(200);
      }
      for (const closed of ['/ds/metrics', '/ds/rpc', '/ccip/0x0/0x0', '/docs', '/', '/healthy', '/socket.io/?EIO=4']) {
        expect(await ask(`${each.url}${closed}`)).toMatchObject({ status: 404, json: { error: 'Not Found' } });
      }
    }
    expect((await ask(`${api.url}/ds/metrics`)).status).toBe(204); // nothing to tell yet
    expect((await ask(`${api.url}/docs`)).status).toBe(200);
  });

  it('say which networks concern them', async () => {
    const parts = async (each: GatewayProcess) =>
      Object.keys(((await ask(`${each.url}/health/ready`)).json as { details: object }).details);
    expect(await parts(emailIn)).toEqual(expect.arrayContaining(['database', 'email']));
    expect(await parts(api)).not.toContain('email');
    expect(await parts(workers[0]!)).not.toContain('email');
  });
});

describe('the broker’s libraries', () => {
  const preload = fileURLToPath(new URL('support/report-broker-libraries.mjs', import.meta.url));
  const loadedWith = async (settings: Partial<SettingsInput>): Promise<Set<string>> => {
    const env = { NODE_OPTIONS: `--import ${preload}` };
    const each = await GatewayProcess.start(world, home, { roles: ['api'], settings, env });
    const { stderr } = await each.stop();
    return new Set(stderr.split('\n').filter((line) => line.startsWith('loaded ')));
  };

  it('are loaded where one is configured, and by nobody else', async () => {
    expect(await loadedWith({})).toEqual(new Set());
    const broker = { url: 'amqp://127.0.0.1:1' };
    expect([...(await loadedWith({ broker }))]).toContain('loaded @nestjs/microservices');
  });
});

describe('two workers', () => {
  it('share one queue, and one does the work of the other when that is killed; nothing is doubled', async () => {
    await startWorker();
    const texts = Array.from({ length: 40 }, (_, index) => `shared ${index}`);
    mailServer.mood = 'holds';
    for (const [index, text] of texts.entries()) {
      await alice.send({ to: `r${index}._at.example${index}.org.email.gateway.eth`, text });
    }
    await eventually('both to be at it', async () => mailServer.attempts.length >= 2 * CONCURRENCY);
    await workers.shift()!.kill();
    mailServer.mood = 'takes';
    await eventually('an empty queue', async () => (await queued()) === 0);
    const taken = await Promise.all(mailServer.mails.map(({ raw }) => simpleParser(raw)));
    expect(taken.map(({ text }) => text!.trim()).sort()).toEqual([...texts].sort());
    expect(new Set(taken.map(({ messageId }) => messageId)).size).toBe(texts.length);
  });

  it('both deliver', async () => {
    await startWorker();
    mailServer.mails.splice(0);
    const before = await Promise.all(workers.map((worker) => worker.count('message.delivered')));
    mailServer.mood = 'holds';
    const attempts = mailServer.attempts.length;
    const numbers = Array.from({ length: 40 }, (_, index) => index);
    for (const index of numbers) {
      await alice.send({ to: `s${index}._at.example${index}.org.email.gateway.eth`, text: `both ${index}` });
    }
    await eventually('both to be at it', async () => mailServer.attempts.length >= attempts + 2 * CONCURRENCY);
    mailServer.mood = 'takes';
    await eventually('an empty queue', async () => (await queued()) === 0);
    const delivered = await Promise.all(workers.map((worker) => worker.count('message.delivered')));
    const each = delivered.map((count, index) => count - before[index]!);
    expect(each.reduce((sum, count) => sum + count, 0)).toBe(numbers.length);
    expect(Math.min(...each)).toBeGreaterThan(0);
    expect(mailServer.mails).toHaveLength(numbers.length);
  });
});

describe('a role', () => {
  const startWith = async (args: readonly string[], changes: object = {}) => {
    const file = path.join(home, 'roles.yaml');
    writeFileSync(file, JSON.stringify({ ...world.settings, admin: { port: await freePort() }, ...changes }));
    return runOperator(['start', '--config', file, ...args], { env: secretsOf(world) });
  };

  it.each([
    [
      ['--role', 'wroker'],
      {},
      /^There is no role "wroker"; the roles are all, api, worker, email-in, matrix, xmtp\.$/m,
    ],
    [['--role', 'api,', '--role', 'mail'], {}, /^There is no role "mail"/m],
    [['--role', ','], {}, /^At least one role is needed/m],
    [
      ['--role', 'matrix'],
      {},
      /^The role matrix needs the section "matrix", which the configuration does not have\.$/m,
    ],
    [['--role', 'worker', '--role', 'email-in'], {}, /^The role email-in needs the section "email"/m],
    [[], { roles: ['api', 'xmpt'] }, /roles: there is no role "xmpt"; the roles are .* Set roles in gateway\.yaml/m],
    [[], { roles: 'xmtp' }, /^The role xmtp needs the section "xmtp"/m],
    [['--role', 'matrix'], { roles: 'api' }, /^The role matrix needs/m],
    [
      ['--role', 'worker'],
      { broker: { url: 'http://u:p4ss@x' } },
      /broker\.url: expected the amqp\(s\) URL of a RabbitMQ/,
    ],
    [
      ['--role', 'worker'],
      { broker: { url: 'amqp://127.0.0.1', networks: ['emial'] } },
      /^broker\.networks names "emial", which the configuration has no section for\.$/m,
    ],
  ])('that cannot be is refused: %j %j', async (args, changes, complaint) => {
    const { code, stderr } = await startWith(args, changes);
    expect(stderr).toMatch(complaint);
    expect(stderr).not.toMatch(/p4ss|^\s+at /m);
    expect(code).toBe(1);
  });
});
