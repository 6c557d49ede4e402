import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { LoginService } from '../src/delivery/access/login.service.js';
import type { RunningGateway } from '../src/main.js';
import { DIALECTS, RealClient, type AnyEnvelope } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { LiveClient, type Auth } from './support/live-client.js';
import { startSecondGateway } from './support/second-gateway.js';
import { TestGateway } from './support/test-gateway.js';

const PATHS = ['/socket.io', '/ds/socket.io'];
const SIZE_LIMIT = 50_000;

let gateway: TestGateway;
let second: RunningGateway & { url: string };
let alice: RealClient;
let bob: RealClient;
let carol: RealClient;
const open: LiveClient[] = [];

beforeAll(async () => {
  gateway = await TestGateway.create({
    settings: { deliveryService: { name: 'ds.gateway.eth', signUp: { policy: 'open' }, sizeLimit: SIZE_LIMIT } },
  });
  second = await startSecondGateway(gateway, { sessionSeconds: 3 });
  alice = await RealClient.create(gateway, gateway.alice);
  bob = await RealClient.create(gateway, gateway.bob);
  carol = await RealClient.create(gateway, await gateway.addPerson('carol.eth', { signUp: true }));
});
afterEach(async () => {
  for (const live of open.splice(0)) live.close();
  await bob.acknowledge((await bob.incoming()).map(({ hash }) => hash));
});
afterAll(async () => {
  await second.stop();
  await gateway.stop();
});

const kept = (live: LiveClient): LiveClient => {
  open.push(live);
  return live;
};
const live = async (client: RealClient, origin = gateway.url, path = PATHS[0]) =>
  kept(await LiveClient.of(client, origin, path));
const knock = (auth: Auth) => kept(new LiveClient(gateway.url, PATHS[0]!, auth));
const sealed = async (text: string) => alice.seal(await alice.compose({ to: 'bob.eth', text }));
const textsOf = async (envelopes: readonly AnyEnvelope[]) =>
  (await Promise.all(envelopes.map((envelope) => bob.open(envelope)))).map(({ message }) => message.message);

describe('A socket is let in', () => {
  it.each(PATHS)('at %s, with the session token of its name', async (path) => {
    await (await live(bob, gateway.url, path)).become('authorized');
  });

  it('by another name of the same account', async () => {
    const name = `${gateway.bob.address}.addr.gateway.eth`;
    const other = await RealClient.create(gateway, gateway.bob, name);
    const socket = await live(other);
    await alice.send({ to: 'bob.eth', text: 'whatever you are called' });
    expect(await textsOf(await socket.hears(1))).toEqual(['whatever you are called']);
  });

  it.each(PATHS)('at %s without WebSockets, too', async (path) => {
    const auth = { account: { ensName: 'bob.eth' }, token: await bob.logIn() };
    const socket = kept(new LiveClient(gateway.url, path, auth, 'polling'));
    await socket.become('authorized');
    await alice.send({ to: 'bob.eth', text: 'by long polling' });
    expect(await textsOf(await socket.hears(1))).toEqual(['by long polling']);
  });

  it.each(PATHS)('at %s from any web page', async (path) => {
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST' };
    const answer = await fetch(`${gateway.url}${path}/?EIO=4&transport=polling`, { method: 'OPTIONS', headers });
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([204, '*']);
  });
});

describe('A socket is turned away', () => {
  const account = { ensName: 'bob.eth' };
  const stranger = { ensName: 'nobody-at-all.eth' };

  it.each([
    ['nonsense', async () => ({ account, token: 'nonsense' })],
    ['nothing', async () => ({ account, token: '' })],
    ["somebody else's", async () => ({ account, token: await alice.logIn() })],
    ["somebody else's, for no account at all", async () => ({ account: stranger, token: await alice.logIn() })],
  ])('as unauthorized when its token is %s', async (_, auth) => {
    const socket = knock(await auth());
    await socket.become('unauthorized', 'ended: io server disconnect');
    await alice.send({ to: 'bob.eth', text: 'private' });
    expect(socket.messages).toEqual([]);
  });

  const malformed = 'refused: The handshake must carry auth: {account: {ensName}, token}.' as const;
  it.each<[Auth, RegExp | string]>([
    [{}, malformed],
    [{ token: 'x' }, malformed],
    [{ account }, malformed],
    [{ account: 'bob.eth', token: 'x' }, malformed],
    [{ account: { ensName: ['bob.eth'] }, token: 'x' }, malformed],
    [{ account: { ensName: '' }, token: 'x' }, malformed],
    [{ account, token: { account: 'bob.eth' } }, malformed],
    [{ account: { ensName: 'not a name' }, token: 'x' }, /^refused: .*not a name/],
  ])('before it is connected, when it says %j', async (auth, why) => {
    const socket = knock(auth);
    const [fate] = await eventually('an end', async () => socket.fates.length > 0 && socket.fates);
    expect(fate).toEqual(typeof why === 'string' ? why : expect.stringMatching(why));
    expect(socket.fates).toHaveLength(1);
  });

  it('where there is none', async () => {
    const socket = kept(new LiveClient(gateway.url, '/elsewhere', { account, token: await bob.logIn() }));
    await socket.become('refused: websocket error');
  });

  it('when its session is over', async () => {
    const token = await second.app.get(LoginService).issueToken(gateway.bob.name, gateway.bob.address);
    const socket = knock({ account, token });
    await socket.become('authorized', 'unauthorized', 'ended: io server disconnect');
  });

  it('when its account has too many', async () => {
    const dave = await RealClient.create(gateway, await gateway.addPerson('dave.eth', { signUp: true }));
    const token = await dave.logIn();
    const auth = { account: { ensName: 'dave.eth' }, token };
    const sockets = Array.from({ length: 50 }, () => knock(auth));
    for (const socket of sockets) await socket.becomes('authorized');
    const [fate] = await eventually('an answer', async () => {
      const { fates } = knock(auth);
      return eventually('a fate', async () => fates.length > 0 && fates);
    });
    expect(fate).toMatch(/^refused: This account has 50 sockets open already/);
    sockets[0]!.close();
    await eventually('room for another', async () => {
      const { fates } = knock(auth);
      await eventually('a fate', async () => fates.length > 0);
      return fates[0] === 'authorized';
    });
  });
});

describe('What comes for an account', () => {
  it('goes to each of its sockets and to nobody else, and waits on until it is acknowledged', async () => {
    const sockets = [await live(bob, gateway.url, PATHS[0]), await live(bob, gateway.url, PATHS[1])];
    const others = [await live(alice), await live(carol)];
    const { hash } = await alice.send({ to: 'bob.eth', text: 'Hi Bob, are you there?' });

    for (const socket of sockets) {
      const [envelope] = await socket.hears(1);
      const received = await bob.open(envelope!);
      expect(received).toMatchObject({ hash, message: { message: 'Hi Bob, are you there?' } });
      expect(await bob.isSignedBySender(received)).toBe(true);
      expect(await bob.isPostmarked(received)).toBe(true);
    }
    const { json: waiting } = await bob.fetchIncoming();
    expect(waiting).toEqual([sockets[0]!.messages[0]]);
    await eventually('it to be marked', async () => {
      const [row] = await gateway.db.query<{ pushed: boolean }>('SELECT pushed_at IS NOT NULL AS pushed FROM mailbox');
      return row!.pushed;
    });

    await bob.acknowledge([hash]);
    expect((await bob.fetchIncoming()).json).toEqual([]);
    expect([...sockets, ...others].map(({ messages }) => messages.length)).toEqual([1, 1, 0, 0]);
  });

  it('while it is away, is fetched at the next login and not pushed', async () => {
    await alice.send({ to: 'bob.eth', text: 'you were out' });
    const socket = await live(bob);
    await alice.send({ to: 'bob.eth', text: 'you are back' });
    expect(await textsOf(await socket.hears(1))).toEqual(['you are back']);
    const [{ pushed }] = (await gateway.db.query('SELECT count(pushed_at)::int AS pushed FROM mailbox')) as [
      { pushed: number },
    ];
    expect(pushed).toBe(1);
    expect((await bob.incoming()).map(({ message }) => message.message)).toEqual(['you were out', 'you are back']);
  });

  it('comes once, though it was submitted twice', async () => {
    const socket = await live(bob);
    const envelope = await sealed('twice');
    for (const _ of [1, 2]) expect((await alice.submit(envelope)).status).toBe(200);
    await alice.send({ to: 'bob.eth', text: 'and on' });
    expect(await textsOf(await socket.hears(2))).toEqual(['twice', 'and on']);
  });

  it('comes in the order of its arrival', async () => {
    const texts = Array.from({ length: 200 }, (_, index) => `message ${index}`);
    const envelopes: AnyEnvelope[] = [];
    for (const text of texts) envelopes.push(await sealed(text));
    const [here, there, writer] = [await live(bob), await live(bob, second.url), await live(alice)];
    const answers = await Promise.all(envelopes.map((envelop) => writer.submit({ envelop, token: 'unused' })));
    expect(answers).toEqual(envelopes.map(() => ({ response: 'success' })));
    expect(await textsOf(await here.hears(200))).toEqual(texts);
    expect(await textsOf(await there.hears(200))).toEqual(texts);
  });
});

describe('Two machines', () => {
  it('push what either of them takes, whichever a socket is connected to', async () => {
    const [here, there] = [await live(bob), await live(bob, second.url, PATHS[1])];
    const elsewhere = await live(alice, second.url);
    await alice.send({ to: 'bob.eth', text: 'through the first' });
    await Promise.all([here.hears(1), there.hears(1)]);
    await elsewhere.submit({ envelop: await sealed('through the second') });
    for (const socket of [here, there]) {
      expect(await textsOf(await socket.hears(2))).toEqual(['through the first', 'through the second']);
    }
  });

  it('push what came while they could not hear of it', async () => {
    const [here, there] = [await live(bob), await live(bob, second.url)];
    await alice.send({ to: 'bob.eth', text: 'before' });
    await Promise.all([here.hears(1), there.hears(1)]);

    expect(await stopListening()).toBe(2);
    await alice.send({ to: 'bob.eth', text: 'in between' });
    await Promise.all([here.hears(2), there.hears(2)]);

    await alice.send({ to: 'bob.eth', text: 'afterwards' });
    for (const socket of [here, there]) {
      expect(await textsOf(await socket.hears(3))).toEqual(['before', 'in between', 'afterwards']);
    }
  });

  /** Cuts the connections on which the machines hear of arrivals. */
  async function stopListening(): Promise<number> {
    const sql = 'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query = $1';
    return (await gateway.db.query(sql, [`LISTEN "mailbox/${gateway.db.schema}"`])).length;
  }

  it('let their sockets go when they stop', async () => {
    const third = await startSecondGateway(gateway);
    const socket = await live(bob, third.url);
    const silent = await openSilently(third.url);
    let stopped = false;
    void third.stop().then(() => (stopped = true));
    await socket.become('authorized', 'ended: transport close');
    await eventually('the end', async () => stopped);
    silent.destroy();
  });

  /** A WebSocket whose peer never says anything again, not even goodbye. */
  async function openSilently(url: string): Promise<TcpSocket> {
    const { hostname, port, host } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const head = [
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
      `Host: ${host}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    await once(socket, 'data');
    return socket;
  }

  it('say how many sockets they have', async () => {
    const gauge = async () => /^dm3_gateway_sockets_connected (\d+)$/m.exec(await metrics())?.[1];
    const metrics = async () => (await fetch(`${second.url}/metrics`)).text();
    await eventually('nobody to be left', async () => (await gauge()) === '0');
    await Promise.all([live(bob, second.url), live(bob, second.url), live(alice, second.url)]);
    expect(await gauge()).toBe('3');
  });
});

describe('An envelope handed in through a socket', () => {
  it.each(DIALECTS)('arrives, with %s in it', async (dialect) => {
    const socket = await live(alice);
    const message = await alice.compose({ to: 'bob.eth', text: `live with ${dialect}` });
    const envelop = await alice.seal(message, { dialect });
    expect(await socket.submit({ envelop, token: 'whatever' })).toEqual({ response: 'success' });
    expect(await bob.receive(`live with ${dialect}`)).toMatchObject({ envelope: { message: envelop.message } });
  });

  it('arrives as text, too', async () => {
    const socket = await live(alice);
    expect(await socket.submit({ envelop: JSON.stringify(await sealed('as text')) })).toEqual({ response: 'success' });
    await bob.receive('as text');
  });

  it.each<[string, () => Promise<unknown> | unknown, RegExp]>([
    ['there is nothing', () => undefined, /not a dm3 envelope/],
    ['there is no envelope', () => ({ token: 'x' }), /not a dm3 envelope/],
    ['it is a number', () => ({ envelop: 7 }), /not a dm3 envelope/],
    ['it lacks metadata', async () => ({ envelop: { message: (await sealed('x')).message } }), /metadata/],
    ['it is for nobody here', async () => ({ envelop: await misled() }), /does not take messages for the receiver/],
    ['somebody else has signed it', async () => ({ envelop: await forged() }), /signature does not match/],
    ['it is too large', async () => ({ envelop: await sealed('x'.repeat(SIZE_LIMIT)) }), /takes 50000 at most/],
  ])('is refused, and its writer learns why, when %s', async (_, data, why) => {
    const socket = await live(alice);
    const answer = await socket.submit(await data());
    expect(answer).toEqual({ error: expect.stringMatching(why) });
    expect(answer.error).not.toMatch(/\bat .*:\d+:\d+|node_modules/);
    expect(await socket.submit({ envelop: await sealed('the next one') })).toEqual({ response: 'success' });
  });

  const misled = async () => {
    const message = await alice.compose({ to: 'bob.eth', text: 'x' });
    return alice.seal(message, { deliverTo: 'nobody-at-all.eth' });
  };
  const forged = async () => carol.seal(await carol.compose({ to: 'bob.eth', from: 'alice.eth', text: 'x' }));

  it('is not even read when it is far too large', async () => {
    const socket = await live(alice);
    const submission = socket.submit({ envelop: { message: 'x'.repeat(SIZE_LIMIT * 10) } });
    await expect(submission).rejects.toThrow('disconnected');
    await socket.become('authorized', 'ended: transport close');
  });
});
