import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RealClient, type AnyEnvelope } from './support/dm3-lib.js';
import { expectRpcError } from './support/expect-refusal.js';
import { ask, type HttpAnswer } from './support/http-answer.js';
import { SERVICE, TestGateway } from './support/test-gateway.js';

const SUBMISSIONS = 30;
const REQUESTS = 40;
const CALLS = 200;
const MESSAGES = 3;

let gateway: TestGateway;
let alice: RealClient;
let bob: RealClient;
beforeAll(async () => {
  const signUp = { policy: 'open' } as const;
  const limits = { submissionsPerMinute: SUBMISSIONS, requestsPerMinute: REQUESTS, rpcCallsPerMinute: CALLS };
  const quota = { messages: MESSAGES, bytes: 100_000_000 };
  gateway = await TestGateway.create({ settings: { deliveryService: { name: SERVICE, signUp, limits, quota } } });
  alice = await RealClient.create(gateway, gateway.alice);
  bob = await RealClient.create(gateway, gateway.bob);
});
afterAll(() => gateway.stop());

const letter = async (text: string): Promise<AnyEnvelope> => alice.seal(await alice.compose({ to: 'bob.eth', text }));
const codeOf = ({ json }: HttpAnswer) => (json as { error: { data?: { code: string } } }).error.data?.code;

/** Repeats something until it is refused with this code; a new minute may begin in between. @returns the refusal */
async function untilRefused(code: string, atMost: number, act: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
  for (let times = 0; times <= 2 * atMost; times += 1) {
    const answer = await act();
    if (answer.status === 429 && JSON.stringify(answer.json).includes(code)) return answer;
  }
  throw new Error(`It was not refused with ${code}.`);
}

function expectRetryAfter({ headers }: HttpAnswer): void {
  const seconds = Number(headers.get('retry-after'));
  expect(seconds).toBeGreaterThanOrEqual(1);
  expect(seconds).toBeLessThanOrEqual(60);
  expect(headers.get('access-control-expose-headers')).toContain('retry-after');
}

describe('a mailbox that is full', () => {
  it('takes nothing more and says so, knows what it has, and takes again when its owner was there', async () => {
    const letters = await Promise.all(Array.from({ length: MESSAGES }, (_, n) => letter(`number ${n}`)));
    for (const each of letters) expect((await alice.submit(each)).status).toBe(200);
    const one = await letter('one too many');
    const refused = await alice.submit(one);
    expect(refused).toMatchObject({
      status: 429,
      json: { error: { code: -32005, message: expect.stringContaining("receiver's mailbox is full") } },
    });
    expect((await alice.submit(letters[0]!)).status).toBe(200);

    const waiting = await bob.incoming();
    expect(waiting.map(({ message }) => message.message)).toEqual(['number 0', 'number 1', 'number 2']);
    await bob.acknowledge([waiting[0]!.hash]);
    expect((await alice.submit(one)).status).toBe(200);
    expect(codeOf(await alice.submit(await letter('again too many')))).toBe('MAILBOX_FULL');
  });

  it('has room again for others after an acknowledgement of any device, which here is one of all', async () => {
    const token = await bob.logIn();
    const url = `${bob.serviceUrl}/delivery/messages/bob.eth`;
    const acknowledgements = (await bob.incoming()).map(({ hash }) => ({ messageHash: hash }));
    await ask(`${url}/syncAcknowledgements?device=phone`, { token, body: { acknowledgements } });
    expect((await ask(`${bob.serviceUrl}/delivery/messages/incoming/bob.eth?device=desk`, { token })).json).toEqual([]);
    expect((await alice.submit(await letter('room again'))).status).toBe(200);
  });
});

describe('a sender who writes too much', () => {
  it('is told to wait, while others are heard', async () => {
    const repeated = await letter('over and over');
    const refused = await untilRefused('RATE_LIMITED', SUBMISSIONS, () => alice.submit(repeated));
    expect(refused.json).toMatchObject({ error: { code: -32005, data: { code: 'RATE_LIMITED' } } });
    expectRetryAfter(refused);
    const { hash: _, envelope } = await bob.send({ to: 'alice.eth', text: 'I may' });
    expect((await bob.submit(envelope)).status).toBe(200);
  });
});

describe('a client that asks too much', () => {
  const from = (client: string) => () =>
    ask(`${gateway.deliveryServiceUrl}/auth/alice.eth`, { headers: { 'x-forwarded-for': client } });

  it('is told to wait, by its own address', async () => {
    const refused = await untilRefused('RATE_LIMITED', REQUESTS, from('203.0.113.7'));
    expect(refused.json).toMatchObject({ code: 'RATE_LIMITED', error: expect.stringContaining('Try again in') });
    expectRetryAfter(refused);
    expect((await from('203.0.113.8')()).status).toBe(200);
    await untilRefused('RATE_LIMITED', REQUESTS, from('2001:db8:1:2::1'));
    await untilRefused('RATE_LIMITED', 1, from('2001:db8:1:2:ffff::2'));
    expect((await from('2001:db8:1:3::1')()).status).toBe(200);
  });
});

describe('a client that calls too often', () => {
  const properties = { jsonrpc: '2.0', method: 'dm3_getDeliveryServiceProperties', params: [], id: 'x-7' };
  const call = (client: string, body: unknown) =>
    ask(`${gateway.deliveryServiceUrl}/rpc`, { body, headers: { 'x-forwarded-for': client } });
  const batch = Array.from({ length: CALLS / 2 }, () => properties);

  it('is told to wait, by its own address; a batch counts as what it holds', async () => {
    const refused = await untilRefused('RATE_LIMITED', 2, () => call('203.0.113.9', batch));
    expectRpcError(refused, -32005, { id: null, status: 429 });
    expectRetryAfter(refused);
    expect((await call('203.0.113.10', batch)).status).toBe(200);
  });

  it('is told so with the id of its call', async () => {
    const refused = await untilRefused('RATE_LIMITED', CALLS, () => call('2001:db8:7::1', properties));
    expectRpcError(refused, -32005, { status: 429 });
    expectRetryAfter(refused);
  });
});

it('the older clients’ base URL is not there unless the operator wants it', async () => {
  expect((await ask(`${gateway.url}/legacy/ds/auth/bob.eth`)).status).toBe(404);
  expect((await ask(`${gateway.url}/legacy/ds/profile/bob.eth`)).status).toBe(404);
});
