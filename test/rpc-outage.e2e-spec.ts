import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RunningGateway } from '../src/main.js';
import { startChainLink, type ChainLink } from './support/chain-link.js';
import { Correspondent } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { expectRestError, expectRpcError } from './support/expect-refusal.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { ask, type HttpAnswer } from './support/http-answer.js';
import { startSecondGateway } from './support/second-gateway.js';
import { SmtpClient } from './support/smtp-client.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

/** How long the chain is away. What is refused, and how, is the same after seconds and after days. */
const OUTAGE_MS = 3_000;
const GHOST = 'carol._at.example.com.email.gateway.eth';
/** In the path of the node's URL, as providers want it. */
const API_KEY = 'hunter2hunter2';

let chain: ChainLink;
let gateway: TestGateway;
let elsewhere: ForeignService;
let alice: Correspondent;
let bob: Correspondent;
let client: SmtpClient;
let logged = '';

beforeAll(async () => {
  chain = await startChainLink();
  const destination = new Writable({
    write(chunk, _, done) {
      logged += String(chunk);
      done();
    },
  });
  gateway = await TestGateway.create({
    rpcUrl: `${chain.rpcUrl}/v3/${API_KEY}?key=${API_KEY}`,
    ens: { timeoutMs: 2_000 },
    log: { level: 'debug', destination },
  });
  elsewhere = await startForeignService(gateway, { name: 'ds.elsewhere.eth' });
  await gateway.addPerson('dave.eth', { deliveryService: elsewhere.name });
  alice = new Correspondent(gateway, gateway.alice);
  bob = new Correspondent(gateway, gateway.bob);
  client = await SmtpClient.connect(gateway.smtpPort);
});
afterAll(async () => {
  client.close();
  await gateway.stop();
  await Promise.all([elsewhere.stop(), chain.stop()]);
});

/** Something that somebody sends again and again until it is taken. */
interface Parcel {
  readonly text: string;
  /** @returns whether it was taken; a refusal for good ends the test */
  send(): Promise<boolean>;
}

function mailTo(name: string, text: string): Parcel {
  const headers = [
    'From: carol@example.com',
    `Subject: ${text}`,
    `Message-ID: <${text.replace(/\W/g, '')}@example.com>`,
  ];
  const mail = [...headers, '', text, ''].join('\r\n');
  const send = async () => {
    const reply = await client.deliver(mail, { to: `${name}@${DOMAIN}` });
    if (!reply.startsWith('250 ')) expect(reply).toMatch(/^451 4\.4\.3 .*Try again later/);
    return reply.startsWith('250 ');
  };
  return { text, send };
}

async function messageTo(name: string, text: string): Promise<Parcel> {
  const envelope = await alice.envelope({ to: name, text });
  const send = async () => {
    const answer = await alice.submit(envelope, 'x-7');
    if (answer.status !== 200) expectRpcError(answer, -32002, { status: 503 });
    return answer.status === 200;
  };
  return { text, send };
}

/** Eight parcels in all four directions. Whoever writes may have done so before the outage. */
function parcels(): Promise<Parcel[]> {
  const numbered = [1, 2].flatMap((number) => [
    mailTo('bob.eth', `Mail ${number} for bob`),
    mailTo('dave.eth', `Mail ${number} for dave`),
    messageTo('bob.eth', `Message ${number} for bob`),
    messageTo(GHOST, `Message ${number} for carol`),
  ]);
  return Promise.all(numbered);
}

/** Sends each once. @returns those that have to be sent again */
async function sendAll(all: readonly Parcel[]): Promise<Parcel[]> {
  const left: Parcel[] = [];
  for (const parcel of all) if (!(await parcel.send())) left.push(parcel);
  return left;
}

const ready = (url = gateway.url): Promise<HttpAnswer> => ask(`${url}/health/ready`);
const login = (url = gateway.url): Promise<HttpAnswer> => ask(`${url}/ds/auth/bob.eth`);

/** Of those that leave through the queue. */
async function messagesIn(state: 'delivered' | 'failed'): Promise<number> {
  const sql = 'SELECT count(*)::int AS count FROM message WHERE state = $1';
  const [row] = await gateway.db.query<{ count: number }>(sql, [state]);
  return row!.count;
}

describe('While no Ethereum node can be reached', () => {
  let sent: readonly Parcel[];
  let waiting: Parcel[];
  let second: RunningGateway & { url: string };

  beforeAll(async () => {
    sent = await parcels();
    elsewhere.mood = 'fails';
    const [accepted, ...others] = [mailTo('dave.eth', 'Accepted before'), ...sent];
    expect(await accepted!.send()).toBe(true);
    await eventually('the first attempt', async () => elsewhere.attempts.length > 0);
    chain.cut();
    await eventually('bob to be forgotten', async () => (await login()).status === 503);
    await eventually('dave to be forgotten', async () =>
      (await client.recipient(`dave.eth@${DOMAIN}`)).startsWith('451'),
    );
    elsewhere.mood = 'takes';
    waiting = others;
  });
  afterAll(() => second.stop());

  it('nobody is refused for good, however often he comes', async () => {
    const end = Date.now() + OUTAGE_MS;
    let rounds = 0;
    for (; Date.now() < end || rounds < 2; rounds += 1) waiting = await sendAll(waiting);
    expect(waiting.map(({ text }) => text)).toEqual(sent.map(({ text }) => text));
    expectRestError(await login(), 503, /Try again later/);
  });

  it('what was accepted before waits, and nobody is told that it failed', async () => {
    expect([await messagesIn('delivered'), await messagesIn('failed')]).toEqual([0, 0]);
    expect(elsewhere.envelopes).toEqual([]);
    expect(await gateway.sentMail()).toEqual([]);
  });

  it('operators see which node is away', async () => {
    const answer = await eventually('the node to be left alone', async () => {
      const health = await ready();
      return health.status === 503 && health;
    });
    const host = new URL(chain.rpcUrl).host;
    const ethereum = { status: 'down', detail: expect.stringContaining(`${host} is left alone (`) };
    expect(answer.json).toMatchObject({ details: { ethereum, database: { status: 'up' }, email: { status: 'up' } } });
    const { text } = await ask(`${gateway.url}/metrics`);
    expect(text).toContain(`dm3_gateway_rpc_endpoint_up{endpoint="${host}"}`);
    expect(logged).toContain('"event":"chain.endpoint-failed"');
  });

  it('a gateway starts, and says the same', async () => {
    second = await startSecondGateway(gateway);
    expectRestError(await login(second.url), 503, /Try again later/);
  });

  it('everything flows when one is back, each message once', async () => {
    chain.mend();
    expect(await sendAll(waiting)).toEqual([]);
    // The one from before among them; what alice writes to bob lies in his mailbox at once.
    await eventually('all of them', async () => (await messagesIn('delivered')) === 1 + sent.length - 2);
    expect(await messagesIn('failed')).toBe(0);
    const letters = (await bob.inbox()).map(({ message }) => message.message!);
    const [toBob, toCarol] = ['bob', 'carol'].map((name) => sent.filter(({ text }) => text.endsWith(name)));
    for (const { text } of toBob!) expect(letters.filter((letter) => letter.includes(text))).toHaveLength(1);
    expect(letters).toHaveLength(toBob!.length);
    expect(elsewhere.envelopes).toHaveLength(3);
    const mails = await gateway.sentMail();
    for (const { text } of toCarol!)
      expect(mails.filter(({ raw }) => raw.includes(`\r\n\r\n${text}\r\n`))).toHaveLength(1);
    expect(mails).toHaveLength(toCarol!.length);
  });

  it('both gateways are ready again', async () => {
    expect((await login(second.url)).status).toBe(200);
    for (const url of [gateway.url, second.url]) {
      await eventually('readiness', async () => (await ready(url)).status === 200);
    }
  });

  it('the key in the URL of the node is nowhere to be read', async () => {
    const shown = [await ready(), await ask(`${gateway.url}/metrics`)].map(({ text }) => text).join();
    expect(shown).toContain(new URL(chain.rpcUrl).host);
    expect(shown + logged).not.toContain(API_KEY);
  });
});
