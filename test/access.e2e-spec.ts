import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EnsName } from '../src/common/ids.js';
import { registerName, setAddr, setReverse, setText } from '../src/naming/contracts/deploy.js';
import { toHex } from '../src/protocol/encoding/hex.js';
import { dataRecord, USER_PROFILE_RECORD } from '../src/protocol/profile/record.js';
import { createPerson, type Person } from '../src/sandbox/people.js';
import { clientCrypto, DIALECTS, encryptedHashOf, RealClient } from './support/dm3-lib.js';
import { ask } from './support/http-answer.js';
import { SERVICE, TestGateway } from './support/test-gateway.js';

let gateway: TestGateway;
let alice: RealClient;
let bob: RealClient;
beforeAll(async () => {
  gateway = await TestGateway.create();
  alice = await RealClient.create(gateway, gateway.alice);
  bob = await RealClient.create(gateway, gateway.bob);
});
afterAll(() => gateway.stop());

/** Which of bob's messages wait for him. */
const waiting = async () => (await bob.incoming()).map(({ message }) => message.message);

/** Somebody with a name, which the address also calls itself, and no profile anywhere yet. */
async function named(name: string): Promise<Person> {
  const wallet = toHex(randomBytes(32));
  const person = createPerson(gateway.crypto, { name: name as EnsName, wallet, deliveryService: SERVICE });
  const { registry, plainResolver: resolver } = gateway.world;
  await registerName(gateway.deployer, { registry, name: person.name, resolver });
  await setAddr(gateway.deployer, { resolver, ...person });
  await setReverse(gateway.deployer, { registry, resolver, ...person });
  return person;
}

async function publish({ name, profile }: Person): Promise<string> {
  const record = { name, key: USER_PROFILE_RECORD, value: dataRecord(profile) };
  await setText(gateway.deployer, { resolver: gateway.world.plainResolver, ...record });
  return name;
}

describe('the profile', () => {
  it('that the published library derives from a wallet is the one ENS shows', async () => {
    expect(bob.profile).toEqual(gateway.bob.profile);
    expect(await alice.lookUp('bob.eth')).toEqual(bob.profile);
  });

  it('is unknown, then handed in, then known', async () => {
    const person = await gateway.addPerson('carol.eth');
    const carol = await RealClient.create(gateway, person);
    expect((await carol.fetchProfile()).status).toBe(404);
    expect((await carol.challenge()).status).toBe(404);

    const submitted = await carol.submitProfile();
    expect(submitted).toMatchObject({ status: 200, json: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) });
    expect(await carol.fetchProfile()).toMatchObject({ status: 200, json: carol.profile });
    expect((await carol.fetchIncoming(submitted.json as string)).status).toBe(401); // the profile is public: it proves nothing
    expect(await carol.fetchIncoming(await carol.logIn())).toMatchObject({ status: 200, json: [] });
  });

  it('opens the new mailbox for the one who was first to know it, until the first login', async () => {
    const person = await named('erin.eth');
    const erin = await RealClient.create(gateway, person);
    const token = (await erin.submitProfile()).json as string;
    const { hash } = await alice.send({ to: 'erin.eth', text: 'welcome' }, { lookUp: await publish(person) });
    expect(await erin.fetchIncoming(token)).toMatchObject({ status: 200, json: [expect.anything()] });
    expect((await ask(`${gateway.deliveryServiceUrl}/spam/erin.eth`, { token })).status).toBe(401);
    expect((await erin.fetchIncoming((await erin.submitProfile()).json as string)).status).toBe(401);

    const session = await erin.logIn();
    for (const { status } of [await erin.fetchIncoming(token), await erin.acknowledge([hash], 'alice.eth', token)]) {
      expect(status).toBe(401);
    }
    expect((await erin.fetchIncoming(session)).json).toHaveLength(1);
  });

  it('opens nothing for somebody who hands it in under a name of his own', async () => {
    const person = await named('fred.eth');
    const { registry, plainResolver: resolver } = gateway.world;
    const name = 'freds-enemy.eth' as EnsName;
    await registerName(gateway.deployer, { registry, name, resolver });
    await setAddr(gateway.deployer, { resolver, name, address: person.address });
    const enemy = await RealClient.create(gateway, person, name);
    const submitted = await enemy.submitProfile();
    expect(submitted.status).toBe(200);
    expect((await enemy.fetchIncoming(submitted.json as string)).status).toBe(401);
  });

  it('is refused if its owner did not sign it, or if it names other services', async () => {
    const forged = { profile: alice.profile.profile, signature: bob.profile.signature };
    expect((await alice.submitProfile(forged)).status).toBe(403);
    const elsewhere = await gateway.addPerson('elsewhere.eth', { deliveryService: 'ds.elsewhere.eth' });
    const client = await RealClient.create(gateway, elsewhere);
    const answer = await client.submitProfile();
    expect(answer).toMatchObject({ status: 403, json: { error: expect.stringContaining(SERVICE) } });
    expect((await client.fetchProfile()).status).toBe(404);
  });
});

describe('logging in', () => {
  it('trades a signed challenge for a token', async () => {
    const { json: challenge, type } = await bob.challenge();
    expect(type).toMatch(/^application\/json/);
    expect(challenge).toEqual(expect.any(String));
    expect(await bob.answerChallenge(challenge)).toMatchObject({ status: 200, json: expect.any(String) });
  });

  it('fails in the words clients wait for if the key is another', async () => {
    const { privateKey } = await clientCrypto.createSigningKeyPair();
    const { json: challenge } = await bob.challenge();
    const answer = await bob.answerChallenge(challenge, privateKey);
    expect(answer).toMatchObject({ status: 400, json: { error: 'Signature invalid' } });
  });

  it('takes a challenge once, and only from the one who asked for it', async () => {
    const { json: used } = await bob.challenge();
    expect((await bob.answerChallenge(used)).status).toBe(200);
    expect((await bob.answerChallenge(used)).status).toBe(400);
    const { json: stolen } = await bob.challenge();
    expect((await alice.answerChallenge(stolen)).status).toBe(400);
    expect((await bob.answerChallenge(stolen)).status).toBe(200);
  });

  it('is asked for by every call that shows or changes a mailbox', async () => {
    const foreign = await alice.logIn();
    for (const token of [foreign, 'nonsense']) {
      expect((await bob.fetchIncoming(token)).status).toBe(401);
      expect((await bob.acknowledge([], 'alice.eth', token)).status).toBe(401);
    }
  });
});

describe.each(DIALECTS)('a message in the form %s', (dialect) => {
  it('comes again until it is acknowledged', async () => {
    const { hash } = await alice.send({ to: 'bob.eth', text: `again ${dialect}` }, { dialect });
    const received = await bob.receive(`again ${dialect}`);
    expect(received.hash).toBe(hash);
    expect(await bob.isSignedBySender(received)).toBe(true);
    expect(await bob.isPostmarked(received)).toBe(true);
    expect(await waiting()).toContain(`again ${dialect}`);

    const acknowledged = await bob.acknowledge([hash], 'alice.eth');
    expect(acknowledged).toMatchObject({ status: 200, text: '' });
    expect(await waiting()).not.toContain(`again ${dialect}`);
  });

  it('may be acknowledged by the hash of what was encrypted too, whoever is named as contact', async () => {
    const { envelope } = await alice.send({ to: 'bob.eth', text: `known otherwise ${dialect}` }, { dialect });
    await bob.receive(`known otherwise ${dialect}`);
    const unknown = `0x${'12'.repeat(32)}`;
    await bob.acknowledge([unknown, encryptedHashOf(envelope)], 'somebody-else.eth');
    expect(await waiting()).not.toContain(`known otherwise ${dialect}`);
  });
});

it('an acknowledgement takes away only what it names, and only one’s own', async () => {
  const first = await alice.send({ to: 'bob.eth', text: 'take me' });
  await alice.send({ to: 'bob.eth', text: 'leave me' });
  await alice.acknowledge([first.hash]);
  expect(await waiting()).toEqual(expect.arrayContaining(['take me', 'leave me']));
  await bob.acknowledge([first.hash]);
  expect(await waiting()).not.toContain('take me');
  expect(await waiting()).toContain('leave me');
});
