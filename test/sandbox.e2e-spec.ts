import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Dm3Client, type ReceivedMessage } from '../src/cli/dm3-client.js';
import { createSodiumProvider } from '../src/protocol/crypto/sodium.js';
import type { CapturedMessage } from '../src/sandbox/captured-mail.js';
import type { SandboxFile } from '../src/sandbox/sandbox.js';
import { eventually } from './support/eventually.js';
import { runOperator, runShell } from './support/program.js';
import {
  beginSandbox,
  freePortBase,
  makePlace,
  sandboxArguments,
  sandboxFile,
  SandboxProcess,
} from './support/sandbox-process.js';
import { crlf, SmtpClient } from './support/smtp-client.js';

const LATER_START_MS = 15_000;
const ADDRESS = /^0x[0-9a-f]{40}$/i;
const hasCurl = spawnSync('curl', ['--version']).status === 0;

const place = makePlace();
const { dataDir } = place;
let portBase: number;
let sandbox: SandboxProcess;

beforeAll(async () => {
  portBase = await freePortBase();
  sandbox = await SandboxProcess.start({ dataDir, portBase });
});
afterAll(async () => {
  await sandbox?.kill();
  await place.remove();
});

describe('a sandbox that runs', () => {
  it('describes itself in a file once everything answers', async () => {
    const { file } = sandbox;
    const url = (offset: number) => `http://127.0.0.1:${portBase + offset}`;
    expect(file).toEqual({
      ready: true,
      pid: sandbox.pid,
      rpcUrl: url(3),
      chainId: 31337,
      ensRegistry: expect.stringMatching(ADDRESS),
      aliasRegistry: expect.stringMatching(ADDRESS),
      rootName: 'gateway.eth',
      topLevelAliases: { email: 'email.gateway.eth' },
      deliveryService: { name: 'ds.gateway.eth', url: `${url(0)}/ds` },
      http: { url: url(0) },
      smtp: { host: '127.0.0.1', port: portBase + 2, domain: 'gateway.localhost' },
      capturedMail: { url: `${url(4)}/` },
      admin: { url: url(1), token: expect.stringMatching(/^[0-9a-f]{64}$/) },
      users: [personNamed('alice.eth'), personNamed('bob.eth')],
    });
    expect(await Promise.all(doors(file).map(statusOf))).toEqual([200, 200, 200, 200]);
  });

  it('keeps the file, which opens everything, to its owner', () => {
    expect(fs.statSync(sandboxFile(dataDir)).mode & 0o777).toBe(0o600);
  });

  it('takes a mail by the command it prints, and shows it by the next one', async () => {
    expect(await sendPrintedMail()).toMatchObject({ code: 0, stderr: '' });
    await waitingMail();
    const { stdout } = await runShell(printed(/^ +(\.\/bin\/dm3-gateway inbox .*)$/m));
    expect(stdout).toContain('from carol._at.example.org.email.gateway.eth  (signature verified)');
    expect(stdout).toContain('**Hello**');
    expect(stdout).toContain('Hi Bob, this is a mail to an ENS name.');
  });

  it('lets mail out by the command it prints, and captures it', async () => {
    const line = printed(/^ +(\.\/bin\/dm3-gateway send .*)$/m);
    expect(await runShell(line)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Accepted: 0x[0-9a-f]{64}\n$/),
    });
    const mail = await capturedMail('carol@example.org');
    expect(mail.from).toMatch(/@gateway\.localhost$/);
    expect(mail.raw).toMatch(/^From: .*bob\.eth@gateway\.localhost/m);
    expect(mail.raw).toContain('Hi Carol, this is Bob.');
    expect(printed(/^ +curl -s (http.*)$/m)).toBe(sandbox.file.capturedMail.url);
  });

  it('is in good health, by the doctor', async () => {
    const { code, stdout } = await runOperator(['doctor', '--sandbox', dataDir, '--strict']);
    expect(stdout).not.toMatch(/warning|ERROR/);
    expect(code).toBe(0);
  });

  it('carries a message from Alice to Bob, who reads it once', async () => {
    await operate('send', 'alice.eth', 'bob.eth', 'from Alice');
    const messages = JSON.parse(await operate('inbox', 'bob.eth', '--ack', '--json')) as ReceivedMessage[];
    expect(messages.at(-1)).toMatchObject({ verified: true, message: { message: 'from Alice' } });
    expect(await operate('inbox', 'bob.eth')).toBe('Nothing waits for bob.eth.\n');
  });

  it('says who is unknown, in a line', async () => {
    const [unknown, stranger] = await Promise.all([
      runOperator(['send', 'alice.eth', 'nobody.eth', 'hello', '--data', dataDir]),
      runOperator(['inbox', 'mallory.eth', '--data', dataDir]),
    ]);
    expect(unknown).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^.*nobody\.eth.*\n$/) });
    const wallets = 'The sandbox has no wallet of mallory.eth; it has those of alice.eth, bob.eth.\n';
    expect(stranger).toEqual({ code: 1, stdout: '', stderr: wallets });
  });

  it('refuses a second one on its data, and goes on', async () => {
    const second = await runOperator(sandboxArguments({ dataDir, portBase: await freePortBase() }));
    const sentence = `${dataDir} is in use by process ${sandbox.pid}; stop that one or choose another data directory.\n`;
    expect(second).toEqual({ code: 1, stdout: '', stderr: sentence });
    expect(JSON.parse(fs.readFileSync(sandboxFile(dataDir), 'utf8'))).toEqual(sandbox.file);
    expect(await Promise.all(doors(sandbox.file).map(statusOf))).toEqual([200, 200, 200, 200]);
  });
});

describe('a port that is taken', () => {
  it('is named in a line, and nothing stays behind', async () => {
    const elsewhere = makePlace();
    const base = await freePortBase();
    const other = createServer().listen(base + 2, '127.0.0.1');
    await once(other, 'listening');
    const ended = await runOperator(sandboxArguments({ dataDir: elsewhere.dataDir, portBase: base }));
    const sentence = `Port ${base + 2} (SMTP) is in use; free it or choose others with --port-base N.\n`;
    expect(ended).toEqual({ code: 1, stdout: '', stderr: sentence });
    expect(elsewhere.processes()).toEqual([]);
    expect(fs.existsSync(sandboxFile(elsewhere.dataDir))).toBe(false);
    other.close();
    await elsewhere.remove();
  });
});

describe('a sandbox that ends', () => {
  it('stops everything at Ctrl-C', async () => {
    await sendPrintedMail();
    await waitingMail();
    const { code, stdout } = await sandbox.interrupt();
    expect(code).toBe(0);
    expect(stdout).toMatch(/Stopped\. The data is kept; .*\n$/);
    expect(fs.existsSync(sandboxFile(dataDir))).toBe(false);
    expect(place.processes()).toEqual([]);
  });

  it('goes on from there on other ports, soon', async () => {
    const before = sandbox.file;
    portBase = await freePortBase();
    const began = Date.now();
    sandbox = await SandboxProcess.start({ dataDir, portBase });
    expect(Date.now() - began).toBeLessThan(LATER_START_MS);
    expect(contracts(sandbox.file)).toEqual(contracts(before));
    expect(sandbox.file.admin.token).toBe(before.admin.token);
    expect(await operate('inbox', 'bob.eth')).toContain('Hi Bob');
    expect((await capturedMail('carol@example.org')).raw).toContain('Hi Carol, this is Bob.');
  });

  it('finds the names on the new ports', async () => {
    await operate('send', 'alice.eth', 'dave@example.org', 'Do you know me?');
    expect((await capturedMail('dave@example.org')).raw).toContain('Do you know me?');
  });

  it('forgets captured mail when told', async () => {
    const { url } = sandbox.file.capturedMail;
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(204);
    expect(await (await fetch(url)).json()).toEqual([]);
  });

  it('leaves orphans when it is killed, and the next one deals with them', async () => {
    const before = sandbox.file;
    await sandbox.kill();
    expect(place.processes()).not.toEqual([]);
    const inbox = await runOperator(['inbox', 'bob.eth', '--data', dataDir]);
    expect(inbox).toMatchObject({ code: 1, stderr: expect.stringMatching(/^There is no running sandbox .*\n$/) });
    sandbox = await SandboxProcess.start({ dataDir, portBase });
    expect(sandbox.file).toEqual({ ...before, pid: sandbox.pid });
    expect(await operate('inbox', 'bob.eth')).toContain('Hi Bob');
    expect(await Promise.all(doors(sandbox.file).map(statusOf))).toEqual([200, 200, 200, 200]);
  });

  it('begins anew with --reset, whatever was left', async () => {
    const before = sandbox.file;
    await sandbox.kill();
    sandbox = await SandboxProcess.start({ dataDir, portBase, reset: true });
    expect(sandbox.file.admin.token).not.toBe(before.admin.token);
    expect(await operate('inbox', 'bob.eth')).toBe('Nothing waits for bob.eth.\n');
    expect((await sandbox.interrupt()).code).toBe(0);
    expect(place.processes()).toEqual([]);
  });

  it('stops at Ctrl-C while it starts, too', async () => {
    const starting = beginSandbox({ dataDir, portBase });
    await eventually('its first words', async () => starting.stdout.includes('Starting PostgreSQL'));
    expect((await starting.kill('SIGINT')).code).toBe(0);
    expect(fs.existsSync(sandboxFile(dataDir))).toBe(false);
    expect(place.processes()).toEqual([]);
  });
});

const personNamed = (name: string) => ({
  name,
  address: expect.stringMatching(ADDRESS),
  walletPrivateKey: expect.stringMatching(/^0x[0-9a-f]{64}$/),
});

/** One question for each server it names. */
function doors({ http, admin, capturedMail, rpcUrl }: SandboxFile): Request[] {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] });
  return [
    new Request(`${http.url}/health/ready`),
    new Request(`${admin.url}/admin/v1/queue`, { headers: { authorization: `Bearer ${admin.token}` } }),
    new Request(capturedMail.url),
    new Request(rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
  ];
}

async function statusOf(request: Request): Promise<number> {
  return (await fetch(request)).status;
}

function contracts({ ensRegistry, aliasRegistry, chainId }: SandboxFile) {
  return { ensRegistry, aliasRegistry, chainId };
}

/** What the sandbox tells people to type. */
function printed(pattern: RegExp): string {
  return pattern.exec(sandbox.output)![1]!;
}

/** As it stands there; without curl, what it would have sent goes by another way. */
async function sendPrintedMail() {
  const line = printed(/^ +(printf .*)$/m);
  const [written, curl] = line.split(' | ') as [string, string];
  if (hasCurl) return runShell(line);
  const [, port, from, to] = /smtp:\/\/\S+:(\d+) --mail-from (\S+) --mail-rcpt (\S+)/.exec(curl)!;
  const mail = await runShell(written);
  const client = await SmtpClient.connect(Number(port));
  const reply = await client.deliver(crlf(mail.stdout), { from, to: to! });
  client.close();
  return { ...mail, code: reply.startsWith('250') ? mail.code : 1 };
}

async function operate(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runOperator([...args, '--data', dataDir]);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

async function waitingMail(): Promise<void> {
  const bob = new Dm3Client(await createSodiumProvider(), sandbox.file, 'bob.eth');
  await eventually('mail for bob.eth', async () => (await bob.inbox()).length > 0);
  bob.close();
}

function capturedMail(to: string): Promise<CapturedMessage> {
  return eventually(`a mail to ${to}`, async () => {
    const mails = (await (await fetch(sandbox.file.capturedMail.url)).json()) as CapturedMessage[];
    return mails.find((mail) => mail.to.includes(to));
  });
}
