import { randomBytes, randomInt } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { Dm3Client } from '../src/cli/dm3-client.js';
import type { EnsName } from '../src/common/ids.js';
import { connectDeployer, type Deployer } from '../src/naming/contracts/deploy.js';
import type { OutboxCounts } from '../src/outbox/outbox.js';
import { decryptText } from '../src/protocol/crypto/payload.js';
import type { CryptoProvider } from '../src/protocol/crypto/provider.js';
import { createSodiumProvider } from '../src/protocol/crypto/sodium.js';
import { toHex } from '../src/protocol/encoding/hex.js';
import { parseMessage } from '../src/protocol/envelope/message.js';
import { createPerson, DEPLOYER_KEY, type Person } from '../src/sandbox/people.js';
import { settle, type World } from '../src/sandbox/world.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { ask } from './support/http-answer.js';
import { MailServer } from './support/mail-server.js';
import { freePortBase, makePlace, SandboxProcess } from './support/sandbox-process.js';
import { SmtpClient } from './support/smtp-client.js';

const DOMAIN = 'gateway.localhost';
const SENDERS = ['carol@example.org', 'dave@example.org', 'erin@example.net', 'frank@example.net'];
const PER_PAIR = 5;
const CONCURRENT = 50;
const FAST = { firstSeconds: 0.1, factor: 1.5, maxSeconds: 1 };

const place = makePlace();
let portBase: number;
let mailServer: MailServer;
let sandbox: SandboxProcess;
let crypto: CryptoProvider;
let deployer: Deployer;
let service: ForeignService;
let dora: Person;
let alice: Dm3Client;
let bob: Dm3Client;

beforeAll(async () => {
  [portBase, mailServer, crypto] = [await freePortBase(), await MailServer.reserve(), await createSodiumProvider()];
  await mailServer.start();
  await start();
  alice = new Dm3Client(crypto, sandbox.file, 'alice.eth');
  bob = new Dm3Client(crypto, sandbox.file, 'bob.eth');
  await settleDora();
});
afterAll(async () => {
  for (const opened of [alice, bob, deployer]) opened?.close();
  await sandbox?.kill();
  await Promise.all([service?.stop(), mailServer.stop(), place.remove()]);
});

it('mail whose way to dm3 is cut off by kills arrives once, unchanged and in order', async () => {
  service.mood = 'holds';
  const texts = await mailDora();
  await eventually('a request of each pair', async () => service.attempts.length >= SENDERS.length);
  await sandbox.kill();
  for (const mood of ['fails', 'takes'] as const) {
    service.mood = 'fails';
    await start();
    service.mood = mood;
    await crashAt(service, randomInt(1, 12));
  }
  await start();
  await emptyQueue();
  expect(new Set(service.attempts.map(({ message }) => message)).size).toBe(texts.length);
  const taken = [...new Set(service.envelopes.map(({ message }) => message))].map(readAsDora); // as services do
  for (const sender of SENDERS) expect(taken.filter(isOf(sender))).toEqual(texts.filter(isOf(sender)));
});

it('dm3 messages whose way out is cut off by kills leave as mail once, unchanged and in order', async () => {
  mailServer.mood = 'holds';
  const { texts, pairs } = await writeMails();
  await eventually('a mail of each pair', async () => mailServer.attempts.length >= pairs.length);
  await sandbox.kill();
  mailServer.mood = 'defers';
  await start();
  await crashAt(mailServer, randomInt(1, 12));
  mailServer.mood = 'takes';
  await start();
  await emptyQueue();
  const attempts = await Promise.all(mailServer.attempts.map(({ raw }) => simpleParser(raw)));
  expect(new Set(attempts.map(({ messageId }) => messageId)).size).toBe(texts.length);
  expect(new Set(mailServer.attempts.map(({ raw }) => raw)).size).toBe(texts.length);
  const taken = await mailsTaken();
  for (const pair of pairs) expect(taken.filter(isOf(pair))).toEqual(texts.filter(isOf(pair)));
});

it.each([1, 2, 3])(
  'what was answered before a kill under load is there, and everything once when all comes again (%i)',
  async () => {
    await forgetAll();
    const pieces = [...(await letters()), ...(await mails())];
    mailServer.mood = 'defers'; // else a mail may be taken that we die too early to hear of
    await handInUntilCrash(pieces, randomInt(1, pieces.length));
    mailServer.mood = 'takes';
    await start();
    await emptyQueue();
    expect(await allArrived()).toEqual(expect.arrayContaining(pieces.filter(isAnswered).map(textOf)));
    await Promise.all(pieces.map((piece) => piece.again()));
    await emptyQueue();
    expect((await allArrived()).sort()).toEqual(pieces.map(textOf).sort());
  },
);

async function start(): Promise<void> {
  sandbox = await SandboxProcess.start({
    dataDir: place.dataDir,
    portBase,
    env: {
      DM3_GATEWAY_EMAIL__OUTGOING__SMART_HOST__PORT: String(mailServer.port),
      DM3_GATEWAY_DELIVERY__RETRY: JSON.stringify({ dm3: FAST, email: FAST }),
      DM3_GATEWAY_DELIVERY__LEASE_SECONDS: '2',
      DM3_GATEWAY_DELIVERY__POLL_SECONDS: '0.2',
    },
  });
}

/** The moment the far side gets its n-th attempt from now, before it answers. */
function crashAt(farSide: { onAttempt: () => void }, attempt: number): Promise<unknown> {
  return new Promise((resolve) => {
    let left = attempt;
    farSide.onAttempt = () => {
      left -= 1;
      if (left === 0) resolve(sandbox.kill());
    };
  });
}

async function emptyQueue(): Promise<void> {
  const { url, token } = sandbox.file.admin;
  await eventually('an empty queue', async () => {
    const { json } = await ask(`${url}/admin/v1/queue`, { token });
    return (json as OutboxCounts).waiting === 0;
  });
}

/** Somebody whose delivery service is not ours. */
async function settleDora(): Promise<void> {
  const { rpcUrl, chainId } = sandbox.file;
  const world = JSON.parse(fs.readFileSync(path.join(place.dataDir, 'world.json'), 'utf8')) as World;
  deployer = connectDeployer({ rpcUrl, chainId, privateKey: DEPLOYER_KEY });
  service = await startForeignService({ crypto, deployer, world }, { name: 'ds.dora.eth' });
  const wallet = toHex(randomBytes(32));
  dora = createPerson(crypto, { name: 'dora.eth' as EnsName, wallet, deliveryService: service.name });
  await settle(deployer, { registry: world.registry, resolver: world.plainResolver, person: dora });
}

/** Several of each sender. @returns their texts */
async function mailDora(): Promise<string[]> {
  const client = await SmtpClient.connect(sandbox.file.smtp.port);
  const texts: string[] = [];
  for (const [text, from] of numbered(SENDERS)) {
    expect(await client.deliver(mailOf(from, text), { from, to: `dora.eth@${DOMAIN}` })).toMatch(/^250 /);
    texts.push(text);
  }
  client.close();
  return texts;
}

function readAsDora(payload: string): string {
  return lastParagraph(parseMessage(decryptText(crypto, dora.keys.encryption, payload)).message!);
}

/** Alice and Bob to two people each. */
async function writeMails(): Promise<{ texts: string[]; pairs: string[] }> {
  const receivers = SENDERS.slice(0, 2);
  const writers = { alice, bob };
  const pairs = Object.keys(writers).flatMap((writer) => receivers.map((receiver) => `${writer} ${receiver}`));
  const texts: string[] = [];
  for (const [text, pair] of numbered(pairs)) {
    const [writer, receiver] = pair.split(' ') as ['alice' | 'bob', string];
    await writers[writer].send(aliasOf(receiver), text);
    texts.push(text);
  }
  return { texts, pairs };
}

/** `<who>: <number>`, everybody's first before anybody's second. */
function numbered(everybody: readonly string[]): [text: string, who: string][] {
  const numbers = Array.from({ length: PER_PAIR }, (_, index) => index);
  return numbers.flatMap((number) => everybody.map((who): [string, string] => [`${who}: ${number}`, who]));
}

const isOf = (who: string) => (text: string) => text.startsWith(`${who}:`);

/** Something a client hands in, and again, since it may not have heard the answer. */
interface Piece {
  readonly text: string;
  handIn(): Promise<unknown>;
  again(): Promise<unknown>;
  isAnswered: boolean;
}

const textOf = ({ text }: Piece) => text;
const isAnswered = (piece: Piece) => piece.isAnswered;

/** Envelopes of Alice and Bob to as many people, sealed. */
async function letters(): Promise<Piece[]> {
  return Promise.all(
    many('letter').map(async (text, index): Promise<Piece> => {
      const writer = index % 2 === 0 ? alice : bob;
      const letter = await writer.seal(aliasOf(`${randomInt(2 ** 40)}@example.org`), text);
      const handIn = () => writer.submit(letter);
      return { text, handIn, again: handIn, isAnswered: false };
    }),
  );
}

/** Mails to Alice and Bob from as many people, each on a connection that waits for its text. */
async function mails(): Promise<Piece[]> {
  return Promise.all(
    many('mail').map(async (text, index): Promise<Piece> => {
      const from = `${randomInt(2 ** 40)}@example.org`;
      const envelope = { from, to: `${index % 2 === 0 ? 'alice' : 'bob'}.eth@${DOMAIN}` };
      const mail = mailOf(from, text);
      const client = await SmtpClient.connect(sandbox.file.smtp.port);
      expect(await client.begin(envelope)).toBeNull();
      const handIn = async () => expect(await client.finish(mail)).toMatch(/^250 /);
      const again = async () => {
        const client = await SmtpClient.connect(sandbox.file.smtp.port);
        expect(await client.deliver(mail, envelope)).toMatch(/^250 /);
        client.close();
      };
      return { text, handIn, again, isAnswered: false };
    }),
  );
}

const many = (what: string) => Array.from({ length: CONCURRENT }, (_, index) => `${what} ${index}`);

/** All at once. */
async function handInUntilCrash(pieces: readonly Piece[], answers: number): Promise<void> {
  let left = answers;
  const answered = (piece: Piece) => {
    piece.isAnswered = true;
    left -= 1;
    if (left === 0) void sandbox.kill();
  };
  await Promise.allSettled(pieces.map((piece) => piece.handIn().then(() => answered(piece))));
}

async function allArrived(): Promise<string[]> {
  const received = [...(await alice.inbox()), ...(await bob.inbox())];
  return [...received.map(({ message }) => lastParagraph(message.message!)), ...(await mailsTaken())];
}

async function forgetAll(): Promise<void> {
  for (const reader of [alice, bob]) await reader.acknowledge(await reader.inbox());
  mailServer.mails.splice(0);
}

async function mailsTaken(): Promise<string[]> {
  const parsed = await Promise.all(mailServer.mails.map(({ raw }) => simpleParser(raw)));
  return parsed.map(({ text }) => text!.trim());
}

function mailOf(from: string, text: string): string {
  const id = randomBytes(8).toString('hex');
  return [`From: <${from}>`, 'Subject: Crash', `Message-ID: <${id}@example.org>`, '', text, ''].join('\r\n');
}

/** Above it stand the subject and what is known about the sender. */
const lastParagraph = (text: string) => text.split('\n\n').at(-1)!;

/** `carol@example.org` is `carol._at.example.org.email.gateway.eth`. */
const aliasOf = (address: string) => `${address.replace('@', '._at.')}.email.gateway.eth`;
