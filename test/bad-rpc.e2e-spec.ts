import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EnsName } from '../src/common/ids.js';
import { createPerson } from '../src/sandbox/people.js';
import { settle } from '../src/sandbox/world.js';
import { startChainLink, type ChainLink } from './support/chain-link.js';
import { Correspondent } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { expectRestError, expectRpcError } from './support/expect-refusal.js';
import { ask, type HttpRequest } from './support/http-answer.js';
import { SERVICE, TestGateway } from './support/test-gateway.js';

const SIZE_LIMIT = 60_000;
const GHOST = 'carol._at.example.com.email.gateway.eth';

let chain: ChainLink;
let gateway: TestGateway;
let alice: Correspondent;
let bob: Correspondent;
let mallory: Correspondent;

beforeAll(async () => {
  chain = await startChainLink();
  const deliveryService = { name: SERVICE, signUp: { policy: 'open' as const }, sizeLimit: SIZE_LIMIT };
  gateway = await TestGateway.create({ rpcUrl: chain.rpcUrl, settings: { deliveryService } });
  alice = new Correspondent(gateway, gateway.alice);
  bob = new Correspondent(gateway, gateway.bob);
  mallory = new Correspondent(gateway, await gateway.addPerson('mallory.eth', { signUp: true }));
});
afterAll(async () => {
  await gateway.stop();
  await chain.stop();
});

const rpc = (body: unknown, request: HttpRequest = {}) =>
  ask(`${gateway.deliveryServiceUrl}/rpc`, { body, ...request });
const submit = (params: unknown) => rpc({ jsonrpc: '2.0', id: 'x-7', method: 'dm3_submitMessage', params });

describe('A request that is none', () => {
  it.each([
    ['nothing', '', -32700],
    ['text', 'hello', -32700],
    ['half a JSON', '{"jsonrpc":"2.0","method":', -32700],
    ['a number', '7', -32600],
    ['null', 'null', -32600],
    ['an empty object', '{}', -32600],
    ['an empty batch', '[]', -32600],
    ['an id of a wrong type', '{"id":{},"method":"dm3_getDeliveryServiceProperties"}', -32600],
    ['a trick with prototypes', '{"__proto__":{"method":"x"}}', -32600],
  ])('is told so: %s', async (_, body, code) => {
    expectRpcError(await rpc(body), code, { id: null });
  });

  it.each([
    ['no method', { id: 'x-7' }, -32600],
    ['a method of a wrong type', { id: 'x-7', method: 7 }, -32600],
    ['an unknown method', { id: 'x-7', method: 'dm3_readAllMail', params: [] }, -32601],
    ['a method every object has', { id: 'x-7', method: 'constructor', params: [] }, -32601],
  ])('gets its id back: %s', async (_, body, code) => {
    expectRpcError(await rpc(body), code);
  });

  it('is no POST', async () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await rpc(undefined, { method });
      expectRpcError(answer, -32600, { id: null, status: 405 });
      expect(answer.headers.get('allow')).toBe('POST');
    }
  });

  it('is not announced as JSON', async () => {
    const response = await fetch(`${gateway.deliveryServiceUrl}/rpc`, {
      method: 'POST',
      headers: { 'content-type': 'application/xml' },
      body: '<methodCall/>',
    });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32700 } });
  });

  it.each([0, 'seven', -1.5, ''])('keeps the id %j', async (id) => {
    expectRpcError(await rpc({ id, method: 'nothing' }), -32601, { id });
  });
});

describe('An envelope that is none', () => {
  it.each([
    ['missing', undefined],
    ['null', null],
    ['a number', 7],
    ['an empty list', []],
    ['a list of null', [null]],
    ['a number in a list', [7]],
    ['a list in a list', [[]]],
    ['an empty object', {}],
    ['text', 'hello'],
    ['text in a list', ['{not json']],
    ['a JSON text of something else', ['"hello"']],
  ])('is refused when params are %s', async (_, params) => {
    expectRpcError(await submit(params), -32602);
  });

  it.each(['message', 'metadata', 'metadata.deliveryInformation', 'metadata.signature'])(
    'is refused without its %s, in words that name it',
    async (member) => {
      const { message, metadata } = await alice.envelope({ to: 'bob.eth', text: 'incomplete' });
      const { [member.split('.')[1] ?? '']: _, ...rest } = metadata as unknown as Record<string, unknown>;
      const whole: Record<string, unknown> = { message, metadata: rest };
      delete whole[member];
      const answer = await submit([JSON.stringify(whole)]);
      expectRpcError(answer, -32602);
      expect(answer.text).toContain(member);
    },
  );

  it.each([
    ['a message of a wrong type', { message: 7 }],
    ['an empty message', { message: '' }],
    ['metadata of a wrong type', { metadata: 'text' }],
  ])('is refused for %s', async (_, wrong) => {
    const envelope = await alice.envelope({ to: 'bob.eth', text: 'odd' });
    expectRpcError(await submit([{ ...envelope, ...wrong }]), -32602);
  });

  it('is refused for an encryption nobody knows', async () => {
    const { message, metadata } = await alice.envelope({ to: 'bob.eth', text: 'rot13' });
    const answer = await submit([{ message, metadata: { ...metadata, encryptionScheme: 'rot13' } }]);
    expectRpcError(answer, -32004);
    expect(answer.text).toContain('x25519-chacha20-poly1305');
  });

  it.each([
    ['for another delivery service', { serviceKey: randomBytes(32) }],
    ['with nothing inside', null],
  ])('is refused when its delivery information is encrypted %s', async (_, wrong) => {
    const { message, metadata } = await alice.envelope({ to: 'bob.eth', text: 'misled', ...wrong });
    const deliveryInformation = wrong ? metadata.deliveryInformation : 'plain words';
    expectRpcError(await submit([{ message, metadata: { ...metadata, deliveryInformation } }]), -32602);
  });

  it('is refused when it is nested beyond reason', async () => {
    const envelope = await alice.envelope({ to: 'bob.eth', text: 'deep' });
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const text = JSON.stringify(envelope).replace(/\}$/, `,"deep":${deep}}`);
    expectRpcError(await submit([text]), -32602);
  });

  it('is refused over the size limit, which is named', async () => {
    const answer = await alice.submit(await alice.envelope({ to: 'bob.eth', text: 'x'.repeat(SIZE_LIMIT) }), 'x-7');
    expectRpcError(answer, -32011, { status: 413 });
    expect(answer.json).toMatchObject({ error: { data: { limitBytes: SIZE_LIMIT } } });
  });

  it('is not even read when it is far too large', async () => {
    const answer = await alice.submit(
      await alice.envelope({ to: 'bob.eth', text: 'x'.repeat(10 * SIZE_LIMIT) }),
      'x-7',
    );
    expectRpcError(answer, -32011, { id: null, status: 413 });
  });
});

describe('An envelope in every form that clients send', () => {
  it('is taken', async () => {
    const forms: ((envelope: object) => unknown)[] = [
      (envelope) => [JSON.stringify(envelope)],
      (envelope) => [JSON.stringify(envelope), 'an old token'],
      (envelope) => [envelope],
      (envelope) => envelope,
      (envelope) => JSON.stringify(envelope),
    ];
    for (const [index, form] of forms.entries()) {
      const answer = await submit(form(await alice.envelope({ to: 'bob.eth', text: `form ${index}` })));
      expect(answer).toMatchObject({ status: 200, json: { jsonrpc: '2.0', id: 'x-7', result: 'OK' } });
    }
    const texts = (await bob.inbox()).map(({ message }) => message.message);
    expect(texts).toEqual(expect.arrayContaining(forms.map((_, index) => `form ${index}`)));
  });
});

describe('A receiver that is not here', () => {
  const send = async (to: string) =>
    alice.submit(await alice.envelope({ to, text: 'hi', receiverKey: someKey() }), 'x-7');
  const someKey = () => gateway.bob.keys.encryption.publicKey;

  it.each([
    ['whose name does not exist', 'nobody-at-all.eth'],
    ['that is no name', 'not a name'],
    ['under our root that nobody could have', 'alice._at.email.gateway.eth'],
    ['by an address that we do not know', `0x${'12'.repeat(20)}.addr.dm3.eth`],
  ])('is unknown: one %s', async (_, to) => {
    expectRpcError(await send(to), -32001, { status: 404 });
  });

  it('is unknown: somebody without an account', async () => {
    await gateway.addPerson('visitor.eth');
    expectRpcError(await send('visitor.eth'), -32001, { status: 404 });
  });

  it('is unknown: somebody who has moved to another delivery service', async () => {
    const { name, walletPrivateKey } = await gateway.addPerson('mover.eth', { signUp: true });
    const deliveryService = 'ds.elsewhere.eth' as EnsName;
    const person = createPerson(gateway.crypto, { name, wallet: walletPrivateKey, deliveryService });
    await settle(gateway.deployer, { ...gateway.world, resolver: gateway.world.plainResolver, person });
    await eventually('the move to be seen', async () => (await send('mover.eth')).status !== 200);
    expectRpcError(await send('mover.eth'), -32001, { status: 404 });
  });
});

describe('A sender who is somebody else', () => {
  it('is refused by a mailbox', async () => {
    const envelope = await mallory.envelope({ to: 'bob.eth', text: 'forged', envelopeFrom: 'alice.eth' });
    expectRpcError(await mallory.submit(envelope, 'x-7'), -32003, { status: 401 });
    expect((await bob.inbox()).map(({ message }) => message.message)).not.toContain('forged');
  });

  it('is refused by a ghost, and no mail leaves', async () => {
    const forged = await mallory.envelope({ to: GHOST, text: 'forged', envelopeFrom: 'alice.eth' });
    expectRpcError(await mallory.submit(forged, 'x-7'), -32003, { status: 401 });
    await mallory.send({ to: GHOST, text: 'my own' });
    await eventually('the honest mail', async () =>
      (await gateway.sentMail()).some(({ raw }) => raw.includes('my own')),
    );
    expect((await gateway.sentMail()).filter(({ raw }) => raw.includes('forged'))).toEqual([]);
  });

  it('is refused by a ghost when there is no profile to check', async () => {
    const envelope = await alice.envelope({ to: GHOST, text: 'masked', envelopeFrom: 'no-profile.eth' });
    const answer = await alice.submit(envelope, 'x-7');
    expectRpcError(answer, -32003, { status: 401 });
    expect(answer.text).toContain('Publish a dm3 profile');
  });

  it.each([
    ['names another sender than its envelope', { messageFrom: 'alice.eth' }],
    ['is encrypted for another key than the ghost has', { receiverKey: randomBytes(32) }],
  ])('learns once that a message cannot be passed on which %s', async (reason, wrong) => {
    const hash = await mallory.send({ to: GHOST, text: `because it ${reason}`, ...wrong });
    const about = () =>
      mallory
        .inbox()
        .then((letters) => letters.filter(({ message }) => message.metadata.referenceMessageHash === hash));
    await eventually('the notice', async () => (await about()).length > 0);
    const [notice, ...more] = await about();
    expect(more).toEqual([]);
    expect(notice).toMatchObject({
      genuine: true,
      message: {
        message: expect.stringMatching(/^\[dm3-gateway\] Your message to carol@example\.com .*was not delivered/),
        metadata: { type: 'REPLY', from: GHOST },
      },
    });
    expect((await gateway.sentMail()).filter(({ raw }) => raw.includes(reason))).toEqual([]);
  });
});

describe('The same envelope again', () => {
  it('is answered like the first and kept once', async () => {
    const envelope = await alice.envelope({ to: 'bob.eth', text: 'again and again' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => alice.submit(envelope)));
    answers.push(await alice.submit(envelope));
    expect(answers.map(({ status }) => status)).toEqual(Array(21).fill(200));
    const texts = (await bob.inbox()).map(({ message }) => message.message);
    expect(texts.filter((text) => text === 'again and again')).toHaveLength(1);
  });

  it('becomes one mail', async () => {
    const envelope = await alice.envelope({ to: GHOST, text: 'one mail of twenty' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => alice.submit(envelope)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    await alice.send({ to: GHOST, text: 'the one behind it' });
    const mails = await eventually('the next mail of the pair', async () => {
      const sent = await gateway.sentMail();
      return sent.some(({ raw }) => raw.includes('the one behind it')) && sent;
    });
    expect(mails.filter(({ subject }) => subject === 'one mail of twenty')).toHaveLength(1);
  });

  it('is told apart from one that was refused before', async () => {
    const stranger = await gateway.addPerson('late.eth');
    const late = new Correspondent(gateway, stranger);
    const envelope = await alice.envelope({ to: 'late.eth', text: 'at last' });
    expectRpcError(await alice.submit(envelope, 'x-7'), -32001);
    await ask(`${gateway.deliveryServiceUrl}/profile/late.eth`, { body: stranger.profile });
    expect(await alice.submit(envelope)).toMatchObject({ status: 200 });
    expect(await late.inbox()).toMatchObject([{ message: { message: 'at last' } }]);
  });
});

describe('While the chain is away', () => {
  it('asks to try again, and heals', async () => {
    const toBob = await alice.envelope({ to: 'bob.eth', text: 'patience' });
    const toGhost = await alice.envelope({ to: GHOST, text: 'patience by mail' });
    const login = (name: string) => ask(`${gateway.deliveryServiceUrl}/auth/${name}`);
    const isForgotten = async (name: string) => (await login(name)).status === 503;
    chain.cut();
    try {
      for (const name of ['alice.eth', 'bob.eth'])
        await eventually('its address to be forgotten', () => isForgotten(name));
      expectRestError(await login('bob.eth'), 503, /Try again later/);
      for (const envelope of [toBob, toGhost]) {
        expectRpcError(await alice.submit(envelope, 'x-7'), -32002, { status: 503 });
      }
    } finally {
      chain.mend();
    }
    for (const envelope of [toBob, toGhost]) expect(await alice.submit(envelope)).toMatchObject({ status: 200 });
    await eventually('the mail', async () =>
      (await gateway.sentMail()).some(({ raw }) => raw.includes('patience by mail')),
    );
    expect((await bob.inbox()).at(-1)).toMatchObject({ message: { message: 'patience' } });
  });
});
