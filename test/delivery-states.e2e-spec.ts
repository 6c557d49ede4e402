import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RunningGateway } from '../src/main.js';
import { encryptedHashOf, RealClient, type AnyEnvelope } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { expectRestError, expectRpcError } from './support/expect-refusal.js';
import { ask, type HttpAnswer } from './support/http-answer.js';
import { LiveClient } from './support/live-client.js';
import { startSecondGateway } from './support/second-gateway.js';
import { SERVICE, TestGateway } from './support/test-gateway.js';

const SIZE_LIMIT = 50_000;
const ROOM = 4;
const ALL = { deliveryStates: true, recall: true, presence: true };
const NONE = { deliveryStates: false, recall: false, presence: false };

let gateway: TestGateway;
let second: RunningGateway & { url: string };
let alice: RealClient;
let bob: RealClient;
let carol: RealClient;
const open: LiveClient[] = [];

beforeAll(async () => {
  const quota = { messages: ROOM, bytes: 100_000_000 };
  gateway = await TestGateway.create({
    settings: { deliveryService: { name: SERVICE, signUp: { policy: 'open' }, sizeLimit: SIZE_LIMIT, quota } },
  });
  second = await startSecondGateway(gateway);
  alice = await RealClient.create(gateway, gateway.alice);
  bob = await RealClient.create(gateway, gateway.bob);
  carol = await RealClient.create(gateway, await gateway.addPerson('carol.eth', { signUp: true }));
  for (const client of [alice, bob, carol]) await client.logIn();
});
beforeEach(async () => {
  for (const client of [alice, bob, carol]) await permit(client, ALL);
});
afterEach(async () => {
  for (const live of open.splice(0)) live.close();
  await bob.acknowledge((await bob.incoming()).map(({ hash }) => hash));
});
afterAll(async () => {
  await second.stop();
  await gateway.stop();
});

interface Call {
  readonly body?: unknown;
  /** Instead of an own one; null for none. */
  readonly token?: string | null;
  /** Of either machine. */
  readonly url?: string;
}

async function call(who: RealClient, path: string, { body, token, url = gateway.url }: Call = {}): Promise<HttpAnswer> {
  const authorised = token === null ? {} : { token: token ?? (await who.logIn()) };
  return ask(`${url}/ds/${path}`, { body, ...authorised });
}

const permissionsOf = (who: RealClient, options?: Call) => call(who, `permissions/${who.name}`, options);

async function permit(who: RealClient, body: object): Promise<void> {
  const answer = await permissionsOf(who, { body });
  if (answer.status !== 200) throw new Error(`The permissions were not taken: ${answer.text}`);
}

const askStates = (who: RealClient, messageHashes: readonly string[], options?: Call) =>
  call(who, `delivery/sent/${who.name}/states`, { body: { to: 'bob.eth', messageHashes }, ...options });
const recall = (who: RealClient, messageHash: string, options?: Call) =>
  call(who, `delivery/sent/${who.name}/recall`, { body: { to: 'bob.eth', messageHash }, ...options });

async function stateOf(hash: string, who = alice, options?: Call): Promise<string> {
  const [answer] = (await askStates(who, [hash], options)).json as [{ messageHash: string; state: string }];
  expect(answer.messageHash).toBe(hash);
  return answer.state;
}

const letter = async (text: string): Promise<AnyEnvelope> => alice.seal(await alice.compose({ to: 'bob.eth', text }));
const textsOfBob = async () => (await bob.incoming()).map(({ message }) => message.message);
const online = async (who: RealClient, url = gateway.url) => {
  const live = await LiveClient.of(who, url);
  open.push(live);
  return live;
};

describe('What an account permits others', () => {
  it('is nothing at first, and set as a whole by its owner alone', async () => {
    const dave = await RealClient.create(gateway, await gateway.addPerson('dave.eth', { signUp: true }));
    expect(await permissionsOf(dave)).toMatchObject({ status: 200, json: NONE });
    await permit(dave, { recall: true });
    await permit(dave, { presence: true });
    for (const token of [null, 'nonsense', await alice.logIn()]) {
      expectRestError(await permissionsOf(dave, { token }), 401, /Log in first/);
      expectRestError(await permissionsOf(dave, { token, body: ALL }), 401, /Log in first/);
    }
    for (const body of [{ recall: 'yes' }, { everything: true }, []]) {
      expectRestError(await permissionsOf(dave, { body: JSON.stringify(body) }), 400, /invalid schema/);
    }
    expect((await permissionsOf(dave)).json).toEqual({ ...NONE, presence: true });
  });

  it('is published, and outlives a new profile', async () => {
    const extensionOf = async (name: string) => {
      const { json } = await call(bob, 'rpc', { body: { method: 'dm3_getProfileExtension', params: [name] } });
      return JSON.parse((json as { result: string }).result) as object;
    };
    await permit(bob, { deliveryStates: true, recall: true });
    expect((await bob.submitProfile()).status).toBe(200);
    expect(await extensionOf('bob.eth')).toMatchObject({ permissions: ['deliveryStates', 'recall'] });
    await permit(bob, NONE);
    expect(await extensionOf('bob.eth')).not.toHaveProperty('permissions');
  });
});

describe('The sender of a message', () => {
  it('learns how far it is, by either hash and from every machine', async () => {
    const { hash, envelope } = await alice.send({ to: 'bob.eth', text: 'how far?' });
    expect(await stateOf(hash)).toBe('queued');
    expect((await call(bob, 'delivery/messages/incoming/bob.eth', { url: second.url })).json).toHaveLength(1);
    expect(await stateOf(hash)).toBe('pushed');
    await bob.acknowledge([hash]);
    expect(await stateOf(encryptedHashOf(envelope), alice, { url: second.url })).toBe('acknowledged');
  });

  it('learns that it was pushed to a socket', async () => {
    const live = await online(bob, second.url);
    const { hash } = await alice.send({ to: 'bob.eth', text: 'live' });
    await live.hears(1);
    expect(await stateOf(hash)).toBe('pushed');
    expectRestError(await recall(alice, hash), 409, /too late/);
  });

  it('is the only one who does', async () => {
    const { hash } = await alice.send({ to: 'bob.eth', text: 'ours' });
    expect(await stateOf(hash, carol)).toBe('unknown');
    for (const token of [null, 'nonsense', await carol.logIn()]) {
      expectRestError(await askStates(alice, [hash], { token }), 401, /Log in first/);
      expectRestError(await recall(alice, hash, { token }), 401, /Log in first/);
    }
    expectRestError(await recall(carol, hash), 404, /No message of this hash/);
    expect(await textsOfBob()).toEqual(['ours']);
  });

  it('learns nothing where either side does not permit it, and is told which', async () => {
    const { hash } = await alice.send({ to: 'bob.eth', text: 'discreet' });
    await permit(bob, { recall: true });
    expectRestError(await askStates(alice, [hash]), 403, /The account does not let others ask/);
    await permit(bob, ALL);
    await permit(alice, { deliveryStates: true });
    expectRestError(await recall(alice, hash), 403, /Your own account does not let others recall/);
    const elsewhere = { body: { to: 'elsewhere.eth', messageHashes: [hash] } };
    expectRestError(await askStates(alice, [hash], elsewhere), 404, /has no account/);
  });

  it.each([
    ['no hashes', { to: 'bob.eth' }],
    ['an empty list', { to: 'bob.eth', messageHashes: [] }],
    ['half a hash', { to: 'bob.eth', messageHashes: ['0x12'] }],
    ['no receiver', { to: 7, messageHashes: [`0x${'12'.repeat(32)}`] }],
    ['too many', { to: 'bob.eth', messageHashes: Array.from({ length: 101 }, () => `0x${'12'.repeat(32)}`) }],
  ])('cannot ask with %s', async (_, body) => {
    expectRestError(await askStates(alice, [], { body }), 400, /invalid schema/);
  });
});

describe('A message that nobody has had', () => {
  it('can be taken back, which makes room for another', async () => {
    const letters = await Promise.all(Array.from({ length: ROOM }, (_, n) => letter(`number ${n}`)));
    for (const each of letters) expect((await alice.submit(each)).status).toBe(200);
    const another = await letter('there is room again');
    expect((await alice.submit(another)).status).toBe(429);

    const hash = encryptedHashOf(letters[1]!);
    expect(await recall(alice, hash)).toMatchObject({ status: 200, json: { messageHash: hash, state: 'recalled' } });
    expect((await alice.submit(another)).status).toBe(200);
    expect(await textsOfBob()).toEqual(['number 0', 'number 2', 'number 3', 'there is room again']);
    expect(await stateOf(hash)).toBe('recalled');
  });

  it('stays recalled, asked again or sent again, at whichever machine', async () => {
    const { hash, envelope } = await alice.send({ to: 'bob.eth', text: 'never mind' });
    for (const url of [second.url, gateway.url]) expect((await recall(alice, hash, { url })).status).toBe(200);
    expect((await alice.submit(envelope)).status).toBe(200);
    expect(await textsOfBob()).toEqual([]);
  });

  it('is there to stay once it was fetched or acknowledged', async () => {
    const { hash } = await alice.send({ to: 'bob.eth', text: 'too late' });
    await bob.receive('too late');
    expectRestError(await recall(alice, hash), 409, /too late .* handed to the receiver's client/);
    await bob.acknowledge([hash]);
    expectRestError(await recall(alice, hash), 409, /too late .* was acknowledged/);
  });
});

describe('Who is online', () => {
  it('is seen by those who share it, across machines, by the name they know', async () => {
    const watcher = await online(alice);
    expect(await watcher.watch({ ensName: 'Bob.eth' })).toEqual({ response: 'success' });
    await watcher.learns('Bob.eth-');
    const [phone, desk] = [await online(bob, second.url), await online(bob)];
    await watcher.learns('Bob.eth+');
    phone.close();
    desk.close();
    await watcher.learns('Bob.eth-');
    expect(watcher.news).toEqual(['Bob.eth-', 'Bob.eth+', 'Bob.eth-']);
  });

  it('is nobody else’s business', async () => {
    await permit(bob, { deliveryStates: true });
    const [watcher, shy] = [await online(alice), await online(carol)];
    await online(bob, second.url);
    expect(await watcher.watch({ ensName: 'bob.eth' })).toEqual({
      error: expect.stringMatching(/does not let others/),
    });
    await permit(carol, NONE);
    expect(await shy.watch({ ensName: 'alice.eth' })).toEqual({ error: expect.stringMatching(/^Your own account/) });
    expect(await shy.watch({})).toEqual({ error: expect.stringMatching(/whom to watch/) });
    expect([watcher.news, shy.news]).toEqual([[], []]);
    const written = async () => (await gateway.db.query('SELECT 1 FROM presence')).length;
    await eventually('Alice alone to be written down', async () => (await written()) === 1);
  });

  it('may be taken back at any time, by either side', async () => {
    const watcher = await online(alice);
    await online(bob, second.url);
    await watcher.watch({ ensName: 'bob.eth' });
    await watcher.learns('bob.eth+');
    await permit(bob, NONE);
    await watcher.learns('bob.eth-');
    await permit(bob, ALL);
    await watcher.learns('bob.eth+');
    expect(await watcher.unwatch({ ensName: 'bob.eth' })).toEqual({ response: 'success' });
    await permit(bob, NONE);
    const before = [...watcher.news];
    await watcher.watch({ ensName: 'carol.eth' });
    await watcher.learns('carol.eth-');
    expect(watcher.news).toEqual([...before, 'carol.eth-']);
  });
});

describe('A message between two accounts of this service', () => {
  it('is postmarked like any other, and its sender verified', async () => {
    await alice.send({ to: 'bob.eth', text: 'next door' });
    const received = await bob.receive('next door');
    expect(await bob.isPostmarked(received)).toBe(true);
    expect(await bob.isSignedBySender(received)).toBe(true);
  });

  it('meets the same rules, size limit and quota', async () => {
    const submit = async (text: string, id = 'x-7') => {
      const body = { id, method: 'dm3_submitMessage', params: [JSON.stringify(await letter(text))] };
      return call(alice, 'rpc', { body });
    };
    const rules = (body: object) => call(bob, 'spam/bob.eth', { body });
    await rules({ block: ['alice.eth'] });
    expectRpcError(await submit('blocked'), -32010, { status: 403 });
    await rules({});
    expectRpcError(await submit('x'.repeat(SIZE_LIMIT)), -32011, { status: 413 });
    for (let n = 0; n < ROOM; n += 1) expect((await submit(`number ${n}`)).status).toBe(200);
    expectRpcError(await submit('one too many'), -32005, { status: 429 });
    expect(await textsOfBob()).toHaveLength(ROOM);
  });
});
