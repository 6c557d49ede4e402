import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Client, type ClientConfig } from 'pg';
import type { EnsName } from '../src/common/ids.js';
import { connectDeployer, type Deployer } from '../src/naming/contracts/deploy.js';
import { KILL_HOOK, type KillPoint } from '../src/ops/kill-points.js';
import { decryptText } from '../src/protocol/crypto/payload.js';
import type { CryptoProvider } from '../src/protocol/crypto/provider.js';
import { createSodiumProvider } from '../src/protocol/crypto/sodium.js';
import { toHex } from '../src/protocol/encoding/hex.js';
import { parseMessage } from '../src/protocol/envelope/message.js';
import { createPerson, DEPLOYER_KEY, type Person } from '../src/sandbox/people.js';
import { settle, type World } from '../src/sandbox/world.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { freePortBase, makePlace, SandboxProcess } from './support/sandbox-process.js';
import { SmtpClient } from './support/smtp-client.js';

const place = makePlace();
let portBase: number;
let crypto: CryptoProvider;
let sandbox: SandboxProcess;
let deployer: Deployer;
let service: ForeignService;
let dora: Person;

beforeAll(async () => {
  [portBase, crypto] = [await freePortBase(), await createSodiumProvider()];
  await start();
  const { rpcUrl, chainId } = sandbox.file;
  const world = read('world.json') as World;
  deployer = connectDeployer({ rpcUrl, chainId, privateKey: DEPLOYER_KEY });
  service = await startForeignService({ crypto, deployer, world }, { name: 'ds.dora.eth', sizeLimit: 100_000 });
  const wallet = toHex(randomBytes(32));
  dora = createPerson(crypto, { name: 'dora.eth' as EnsName, wallet, deliveryService: service.name });
  await settle(deployer, { registry: world.registry, resolver: world.plainResolver, person: dora });
});
afterAll(async () => {
  deployer?.close();
  await sandbox?.kill();
  await Promise.all([service?.stop(), place.remove()]);
});

/** @param dieAt where the process kills itself, as soon as it comes there */
async function start(dieAt?: KillPoint): Promise<void> {
  const env: Record<string, string> = {};
  if (dieAt) env['NODE_OPTIONS'] = `--import=data:text/javascript,${encodeURIComponent(killer(dieAt))}`;
  sandbox = await SandboxProcess.start({ dataDir: place.dataDir, portBase, env });
}

const killer = (point: KillPoint) =>
  `globalThis[Symbol.for('${KILL_HOOK.description}')] = (point) => point === '${point}' && process.kill(process.pid, 'SIGKILL')`;

const read = (file: string): unknown => JSON.parse(fs.readFileSync(path.join(place.dataDir, file), 'utf8'));

/** How many files are kept, and how many pieces of them. */
async function kept(): Promise<{ files: number; pieces: number }> {
  const { database } = read('gateway.yaml') as { database: ClientConfig };
  const client = new Client(database);
  await client.connect();
  const sql = `SELECT (SELECT count(*)::int FROM dm3_gateway.attachment) AS files,
    (SELECT count(*)::int FROM dm3_gateway.attachment_chunk) AS pieces`;
  const { rows } = await client.query<{ files: number; pieces: number }>(sql);
  await client.end();
  return rows[0]!;
}

/** A mail whose file does not fit: two chunks and a head. */
function mailWithFile(id: string): string {
  const file = randomBytes(400_000).toString('base64').replace(/.{76}/g, '$&\r\n');
  const headers = [
    'From: <carol@example.org>',
    'Subject: Crash',
    `Message-ID: <${id}@example.org>`,
    'MIME-Version: 1.0',
  ];
  const type = 'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="a.bin"';
  const parts = [
    `Content-Type: text/plain\r\n\r\n${id}`,
    `${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n${file}`,
  ];
  const body = parts.map((part) => `--b\r\n${part}\r\n`).join('');
  return `${[...headers, 'Content-Type: multipart/mixed; boundary=b'].join('\r\n')}\r\n\r\n${body}--b--\r\n`;
}

async function send(mail: string): Promise<string> {
  const client = await SmtpClient.connect(sandbox.file.smtp.port);
  try {
    return await client.deliver(mail, { from: 'carol@example.org', to: 'dora.eth@gateway.localhost' });
  } finally {
    client.close();
  }
}

/** What the delivery service took, each envelope once however often it came. */
function taken(): string[] {
  const texts = new Set(service.envelopes.map(({ message }) => message));
  return [...texts].map((text) => parseMessage(decryptText(crypto, dora.keys.encryption, text)).message!);
}

it.each([
  ['receive.committing', 'in the transaction that accepts', { files: 0, pieces: 0 }],
  ['receive.committed', 'between the commit and the 250', { files: 1, pieces: 3 }],
] as const)('a process that dies at %s, %s, leaves all or nothing, and no second copy', async (point, _, left) => {
  const before = await kept();
  await sandbox.kill();
  await start(point);
  const mail = mailWithFile(point);
  await expect(send(mail)).rejects.toThrow('The server hung up');

  await start();
  const after = await kept();
  expect({ files: after.files - before.files, pieces: after.pieces - before.pieces }).toEqual(left);
  expect(await send(mail)).toMatch(/^250 /);
  await eventually('the message', async () => taken().some((text) => text.includes(point)));
  expect(await send(mail)).toMatch(/^250 /);
  const settled = await kept();
  expect([settled.files - before.files, settled.pieces - before.pieces]).toEqual([1, 3]);
  expect(taken().filter((text) => text.includes(point))).toHaveLength(1);
});
