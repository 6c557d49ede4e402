import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EthAddress } from '../src/common/ids.js';
import type { SpamRules } from '../src/delivery/spam/rules.js';
import { startChainLink, type ChainLink } from './support/chain-link.js';
import { createToken, setBalance, setNonce, setTokenBalance } from './support/chain-state.js';
import { Correspondent, type Draft } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { expectRestError, expectRpcError } from './support/expect-refusal.js';
import { startForeignService } from './support/foreign-service.js';
import { ask, type HttpAnswer } from './support/http-answer.js';
import { arrivedMail, exampleDns, sendMail } from './support/mail.js';
import { startSecondGateway } from './support/second-gateway.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const BOB = `bob.eth@${DOMAIN}`;
const DORA = 'dora._at.example.org.email.gateway.eth';

let chain: ChainLink;
let gateway: TestGateway;
let alice: Correspondent;
let bob: Correspondent;
let mallory: Correspondent;
let token: EthAddress;

beforeAll(async () => {
  chain = await startChainLink();
  gateway = await TestGateway.create({ rpcUrl: chain.rpcUrl, dns: exampleDns });
  alice = new Correspondent(gateway, gateway.alice);
  bob = new Correspondent(gateway, gateway.bob);
  mallory = new Correspondent(gateway, await gateway.addPerson('mallory.eth', { signUp: true }));
  token = await createToken();
  const { address } = gateway.alice;
  await Promise.all([setNonce(address, 12), setBalance(address, 10n ** 18n), setTokenBalance(token, address, 500n)]);
});
afterAll(async () => {
  await gateway.stop();
  await chain.stop();
});

const spam = (name: string, { body, token }: { body?: unknown; token?: string } = {}) =>
  ask(`${gateway.deliveryServiceUrl}/spam/${name}`, { body, token });

async function bobAsks(rules: SpamRules): Promise<void> {
  const answer = await spam('bob.eth', { body: rules, token: await bob.token() });
  if (answer.status !== 200) throw new Error(`The rules were not taken: ${answer.text}`);
}

const send = async (who: Correspondent, draft: Partial<Draft> = {}): Promise<HttpAnswer> =>
  who.submit(await who.envelope({ to: 'bob.eth', text: 'hello', ...draft }), 'x-7');

async function extensionOf(name: string, url = gateway.deliveryServiceUrl): Promise<Record<string, unknown>> {
  const { json } = await ask(`${url}/rpc`, { body: { method: 'dm3_getProfileExtension', params: [name] } });
  return JSON.parse((json as { result: string }).result) as Record<string, unknown>;
}

/** What the author of a mail is told, on one line. */
async function reportOn(subject: string): Promise<string> {
  const { raw } = await eventually(`the report on "${subject}"`, async () =>
    (await gateway.sentMail()).find((mail) => mail.raw.includes(`Subject: Undelivered mail: ${subject}`)),
  );
  return raw.replace(/\s+/g, ' ');
}

const textsOfBob = async () => (await bob.inbox()).map(({ message }) => message.message);

describe('The rules of an account', () => {
  it('are none at first, and read and set by its owner alone', async () => {
    expect(await spam('bob.eth', { token: await bob.token() })).toMatchObject({ status: 200, json: {} });
    for (const token of [undefined, 'nonsense', await alice.token()]) {
      expectRestError(await spam('bob.eth', { token }), 401, /Log in first/);
      expectRestError(await spam('bob.eth', { token, body: { minNonce: 5 } }), 401, /Log in first/);
    }
    expect(await spam('bob.eth', { token: await bob.token() })).toMatchObject({ json: {} });
  });

  it('are set as a whole, and kept with the names written out', async () => {
    const rules = { minNonce: 1, block: ['BOB.eth', 'carol._at.example.com.email'] };
    const kept = { minNonce: 1, block: ['bob.eth', 'carol._at.example.com.email.gateway.eth'] };
    const set = await spam('bob.eth', { body: rules, token: await bob.token() });
    expect(set).toMatchObject({ status: 200, json: kept });
    expect((await spam('bob.eth', { token: await bob.token() })).json).toEqual(kept);
    await bobAsks({ minBalance: '5' });
    expect((await spam('bob.eth', { token: await bob.token() })).json).toEqual({ minBalance: '5' });
  });

  it.each([{ minNonce: '1' }, { blocked: ['mallory.eth'] }, { minBalance: 1 }, [], 'text'])(
    'are not %j',
    async (body) => {
      expectRestError(await spam('bob.eth', { body: JSON.stringify(body), token: await bob.token() }), 400, /schema/);
    },
  );

  it('are published as far as everybody must know them', async () => {
    const thresholds = { minNonce: 3, minTokenBalance: { address: token, amount: '5' }, requireVerifiedSender: true };
    await bobAsks({ ...thresholds, allow: ['friend.eth'], block: ['mallory.eth'], networks: {} });
    const extension = await extensionOf('bob.eth');
    expect(extension).toMatchObject({ spamFilterRules: thresholds, supportedMessageTypes: expect.any(Array) });
    expect(JSON.stringify(extension)).not.toMatch(/friend|mallory|networks/);
    expect(await extensionOf('alice.eth')).toMatchObject({ spamFilterRules: {} });
    expect(await extensionOf(DORA)).not.toHaveProperty('spamFilterRules');
  });

  it('outlive a new profile, and another machine keeps them too', async () => {
    await bobAsks({ minNonce: 7 });
    const { profile } = gateway.bob;
    expect((await ask(`${gateway.deliveryServiceUrl}/profile/bob.eth`, { body: profile })).status).toBe(200);
    expect((await spam('bob.eth', { token: await bob.token() })).json).toEqual({ minNonce: 7 });
    const second = await startSecondGateway(gateway);
    try {
      expect(await extensionOf('bob.eth', `${second.url}/ds`)).toMatchObject({ spamFilterRules: { minNonce: 7 } });
      const envelope = await mallory.envelope({ to: 'bob.eth', text: 'by the other door' });
      const body = { id: 'x-7', method: 'dm3_submitMessage', params: [JSON.stringify(envelope)] };
      expectRpcError(await ask(`${second.url}/ds/rpc`, { body }), -32010, { status: 403 });
    } finally {
      await second.stop();
    }
  });
});

describe('A sender', () => {
  it.each([
    ['active', () => ({ minNonce: 12 }), /at least 12 transactions/],
    ['rich', () => ({ minBalance: String(10n ** 18n) }), /at least 1000000000000000000 wei/],
    ['invested', () => ({ minTokenBalance: { address: token, amount: '500' } }), /at least 500 units of the token/],
  ])('must be as %s as the receiver asks', async (_, rules, reason) => {
    await bobAsks(rules());
    expect(await send(alice)).toMatchObject({ status: 200, json: { result: 'OK' } });
    const refused = await send(mallory, { text: 'not enough' });
    expectRpcError(refused, -32010, { status: 403 });
    expect(refused.text).toMatch(reason);
    expect(await textsOfBob()).not.toContain('not enough');
  });

  it('is let in as soon as the chain says so', async () => {
    await bobAsks({ minNonce: 100 });
    const saver = new Correspondent(gateway, await gateway.addPerson('saver.eth'));
    expectRpcError(await send(saver), -32010);
    await setNonce(saver.person.address, 100);
    await eventually('the new nonce to be seen', async () => (await send(saver)).status === 200);
  });

  it('does not become rich by writing in a rich name', async () => {
    await bobAsks({ minBalance: '1' });
    for (const envelopeFrom of ['alice.eth', `${gateway.alice.address}.addr.dm3.eth`]) {
      expectRpcError(await send(mallory, { envelopeFrom, text: 'as alice' }), -32003, { status: 401 });
    }
    expect(await textsOfBob()).not.toContain('as alice');
  });

  it('may stay unknown only where that is allowed', async () => {
    await bobAsks({ minNonce: 0 });
    expect(await send(mallory, { envelopeFrom: 'masked.eth' })).toMatchObject({ status: 200 });
    await bobAsks({ requireVerifiedSender: true, allow: ['masked.eth'] });
    expectRpcError(await send(mallory, { envelopeFrom: 'masked.eth' }), -32010);
    await bobAsks({ minNonce: 1 });
    expectRpcError(await send(mallory, { envelopeFrom: 'masked.eth' }), -32010);
  });

  it('is known by every name of the address, and told nothing of the lists', async () => {
    await bobAsks({ block: ['mallory.eth'], allow: ['alice.eth'], minNonce: 1_000 });
    for (const envelopeFrom of ['mallory.eth', `${mallory.person.address}.addr.gateway.eth`]) {
      const refused = await send(mallory, { envelopeFrom });
      expectRpcError(refused, -32010);
      expect(refused.text).not.toMatch(/mallory|list|1000/);
    }
    for (const envelopeFrom of ['alice.eth', `${gateway.alice.address}.addr.dm3.eth`]) {
      expect(await send(alice, { envelopeFrom })).toMatchObject({ status: 200 });
    }
  });

  it('has to come back while the chain is away', async () => {
    await bobAsks({ minNonce: 12 });
    const envelopes = [
      await alice.envelope({ to: 'bob.eth', text: 'patience' }),
      await mallory.envelope({ to: 'bob.eth', text: 'patience' }),
    ];
    chain.cut();
    try {
      for (const envelope of envelopes) {
        await eventually('what is known to be forgotten', async () => (await alice.submit(envelope)).status === 503);
        expectRpcError(await alice.submit(envelope, 'x-7'), -32002, { status: 503 });
      }
    } finally {
      chain.mend();
    }
    expect((await alice.submit(envelopes[0])).status).toBe(200);
    expectRpcError(await mallory.submit(envelopes[1], 'x-7'), -32010);
  });
});

describe('Somebody who writes mail', () => {
  const arrived = (text: string) =>
    eventually(`"${text}" in the mailbox`, async () => (await textsOfBob()).some((each) => each?.includes(text)));

  it('needs no balance', async () => {
    await bobAsks({ minNonce: 1_000, minBalance: '5' });
    await sendMail(gateway, { to: BOB, text: 'mail from the poor' });
    await arrived('mail from the poor');
  });

  it('must have been written to where first contact needs consent, and is told so', async () => {
    await bobAsks({ networks: { email: { firstContact: 'consent' } } });
    const early = { to: BOB, subject: 'Too early', text: 'who are you?' };
    await expect(sendMail(gateway, early)).rejects.toThrow(
      /550 5\.7\.1 .*only from people the receiver has written to/,
    );

    await bob.send({ to: DORA, text: 'do write to me' });
    await arrivedMail(gateway, 'dora@example.org', 'do write to me');
    await sendMail(gateway, { to: BOB, text: 'thank you, I will' });
    await arrived('thank you, I will');
    expect((await textsOfBob()).join()).not.toContain('who are you?');
  });

  it('must pass authentication at first contact where the rule says so', async () => {
    await bobAsks({ networks: { email: { firstContact: 'authenticated' } } });
    const from = 'stranger@nowhere.example';
    const unsigned = { from, to: BOB, subject: 'Unsigned', text: 'from nowhere' };
    await expect(sendMail(gateway, unsigned)).rejects.toThrow(/550 5\.7\.1 .*passes authentication/);
    await sendMail(gateway, { from: 'ella@example.org', to: BOB, text: 'authenticated' });
    await arrived('authenticated');
  });

  it('may be blocked with the whole domain', async () => {
    await bobAsks({ block: ['.example.org.email.gateway.eth'] });
    const blocked = { to: BOB, subject: 'Blocked', text: 'from the domain' };
    await expect(sendMail(gateway, blocked)).rejects.toThrow(/550 5\.7\.1 .*does not take messages from this sender/);
    await sendMail(gateway, { from: 'stranger@nowhere.example', to: BOB, text: 'from elsewhere' });
    await arrived('from elsewhere');
    expect((await textsOfBob()).join()).not.toContain('from the domain');
    expect((await gateway.sentMail()).filter(({ raw }) => raw.includes('Subject: Undelivered mail'))).toEqual([]);
  });

  it('reaches those receivers who take it, and is told of the others', async () => {
    await bobAsks({ block: ['.example.org.email.gateway.eth'] });
    const shared = { to: [BOB, `alice.eth@${DOMAIN}`], subject: 'Shared', text: 'for you both' };
    await sendMail(gateway, shared);
    expect(await reportOn('Shared')).toContain('does not take messages from this sender');
    expect((await alice.inbox()).map(({ message }) => message.message).join()).toContain('for you both');
    expect((await textsOfBob()).join()).not.toContain('for you both');
  });
});

it('A notice about one’s own message gets through all rules', async () => {
  await bobAsks({ minNonce: 1_000, block: ['.eth'], requireVerifiedSender: true });
  const hash = await bob.send({ to: DORA, text: 'broken', receiverKey: randomBytes(32) });
  await eventually('the notice', async () =>
    (await bob.inbox()).some(({ message }) => message.metadata.referenceMessageHash === hash),
  );
});

it('What a receiver elsewhere would refuse is not even sent there', async () => {
  const extension = { notSupportedMessageTypes: [], spamFilterRules: { minNonce: 5 } };
  const service = await startForeignService(gateway, { name: 'ds.strict.eth', extension });
  try {
    await gateway.addPerson('dave.eth', { deliveryService: service.name });
    await sendMail(gateway, { to: `dave.eth@${DOMAIN}`, subject: 'Choosy', text: 'hello Dave' });
    expect(await reportOn('Choosy')).toContain('at least 5 transactions');
    expect(service.attempts).toEqual([]);
  } finally {
    await service.stop();
  }
});
