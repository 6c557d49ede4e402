import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EnsName, EthAddress, Hash } from '../src/common/ids.js';
import { MailboxStore } from '../src/delivery/mailbox/mailbox.store.js';
import { profileKeysFromSeed } from '../src/protocol/crypto/keys.js';
import { toBase64 } from '../src/protocol/encoding/base64.js';
import { fromHex, toHex } from '../src/protocol/encoding/hex.js';
import { signProfile } from '../src/protocol/profile/user-profile.js';
import { createPerson, type Person } from '../src/sandbox/people.js';
import { settle } from '../src/sandbox/world.js';
import { deployContractWallet, signProfileFor } from './support/contract-wallet.js';
import { Correspondent } from './support/correspondent.js';
import { clientCrypto, DIALECTS, encryptedHashOf, RealClient, type AnyEnvelope } from './support/dm3-lib.js';
import { ask, type HttpRequest } from './support/http-answer.js';
import { SERVICE, TestGateway } from './support/test-gateway.js';

let gateway: TestGateway;
let alice: RealClient;
let bob: RealClient;
beforeAll(async () => {
  const signUp = { policy: 'open' } as const;
  const deliveryService = { name: SERVICE, signUp, legacyLogin: true, deviceCursors: true };
  gateway = await TestGateway.create({ settings: { deliveryService } });
  alice = await RealClient.create(gateway, gateway.alice);
  bob = await RealClient.create(gateway, gateway.bob);
});
afterAll(() => gateway.stop());

const newClient = async (name: string) => RealClient.create(gateway, await gateway.addPerson(name, { signUp: true }));
const addressName = (address: EthAddress) => `${address}.addr.gateway.eth`;

/** A mailbox as its owner's client asks for it, with what clients in the field do not add. */
async function incoming(client: RealClient, query = '', request: HttpRequest = {}) {
  const token = await client.logIn();
  const url = `${client.serviceUrl}/delivery/messages/incoming/${client.name}${query}`;
  const { status, json, headers } = await ask(url, { token, ...request });
  return { status, envelopes: json as AnyEnvelope[], headers, next: headers.get('x-dm3-next') };
}

async function acknowledge(client: RealClient, path: string, body: object, request: HttpRequest = {}) {
  const token = await client.logIn();
  return ask(`${client.serviceUrl}/delivery/messages/${client.name}/${path}`, { token, body, ...request });
}

const texts = async (client: RealClient) => (await client.incoming()).map(({ message }) => message.message);

describe('a mailbox with more than a thousand messages', () => {
  const MANY = 1_234;
  let carol: RealClient;

  beforeAll(async () => {
    carol = await newClient('carol.eth');
    await alice.send({ to: 'carol.eth', text: 'one of many' });
    const [envelope] = (await incoming(carol)).envelopes;
    const receiver = (await carol.provider.resolveName('carol.eth'))!.toLowerCase() as EthAddress;
    const mailbox = gateway.running.app.get(MailboxStore);
    for (let n = 1; n < MANY; n += 1) {
      const messageHash = `0x${n.toString(16).padStart(64, '0')}` as Hash;
      const copy = { ...envelope!, metadata: { ...envelope!.metadata, messageHash } };
      await mailbox.addOnce(
        gateway.db,
        randomUUID(),
        {
          receiver,
          sender: gateway.alice.address,
          messageHash,
          encryptedMessageHash: messageHash,
          envelope: copy as never,
          size: 1,
          verdict: 'verified',
          postmarkedAt: n,
        },
        randomBytes(32),
      );
    }
  });

  const numbers = (envelopes: readonly AnyEnvelope[]) =>
    envelopes.map(({ metadata }) => Number(BigInt(metadata.messageHash ?? 0)));

  it('shows the newest thousand to a client that asks as ever, and the rest to one that goes on', async () => {
    const first = await incoming(carol);
    expect(numbers(first.envelopes)).toEqual(Array.from({ length: 1_000 }, (_, index) => MANY - 1 - index));
    expect(first.headers.get('access-control-expose-headers')).toContain('x-dm3-next');
    const rest = await incoming(carol, `?since=${first.next}`);
    expect(numbers(rest.envelopes)).toEqual(Array.from({ length: 234 }, (_, index) => 233 - index));
    expect(rest.next).toBeNull();
  });

  it('is read without a gap in pages of any size, while mail comes in and is acknowledged', async () => {
    const seen: number[] = [];
    let query = '?limit=500';
    for (let round = 0; query !== ''; round += 1) {
      const { envelopes, next } = await incoming(carol, query);
      seen.push(...numbers(envelopes));
      await carol.acknowledge(envelopes.slice(0, 100).map(({ metadata }) => metadata.messageHash!));
      await alice.send({ to: 'carol.eth', text: `meanwhile ${round}` });
      query = next === null ? '' : `?limit=500&since=${next}`;
    }
    expect(seen).toEqual(Array.from({ length: MANY }, (_, index) => MANY - 1 - index));
    expect((await incoming(carol)).envelopes).toHaveLength(MANY - 3 * 100 + 3);
  });

  it('is paged for one contact too', async () => {
    const token = await carol.logIn();
    const url = `${carol.serviceUrl}/delivery/messages/carol.eth/contact/alice.eth`;
    const first = await ask(`${url}?limit=2`, { token });
    const second = await ask(`${url}?limit=2&since=${first.headers.get('x-dm3-next')}`, { token });
    expect(first.json).toHaveLength(2);
    expect(second.json).toHaveLength(2);
    expect(first.json).not.toEqual(second.json);
    expect((await ask(`${url.replace('alice', 'bob')}`, { token })).json).toEqual([]);
  });

  it.each(['?limit=0', '?limit=many', '?since=MTIz', '?device=no%20spaces'])('refuses %s', async (query) => {
    expect((await incoming(carol, query)).status).toBe(400);
  });
});

describe('an acknowledgement', () => {
  const paths = [
    'syncAcknowledgements',
    'syncAcknowledgements/',
    'syncAcknowledgment/0',
    'syncAcknoledgment/1700000000000',
  ];

  it.each(paths)('sent to %s takes a message away by either hash, and counts', async (path) => {
    for (const dialect of DIALECTS) {
      const { hash, envelope } = await alice.send({ to: 'bob.eth', text: `${path} ${dialect}` }, { dialect });
      const item = (messageHash: string) => ({ contactAddress: 'alice.eth', messageHash });
      const body = { acknowledgements: [hash, encryptedHashOf(envelope), toHex(randomBytes(32))].map(item) };
      const answer = await acknowledge(bob, path, body);
      expect(answer).toMatchObject({ status: 200, text: '' });
      expect(answer.headers.get('x-dm3-acknowledged')).toBe('1');
      const again = await acknowledge(bob, path, body);
      expect(again.headers.get('x-dm3-acknowledged')).toBe('0');
      expect(await texts(bob)).not.toContain(`${path} ${dialect}`);
    }
  });

  it.each([
    ['her name', async () => 'alice.eth'],
    ['her address', async () => addressName(gateway.alice.address)],
  ])('of an older client names %s and the time of the postmark, and takes nothing else', async (_, contact) => {
    await alice.send({ to: 'bob.eth', text: 'kept by its time' });
    await alice.send({ to: 'bob.eth', text: 'gone by its time' });
    const { postmark } = await bob.receive('gone by its time');
    const item = {
      contactAddress: await contact(),
      messageDeliveryServiceTimestamp: postmark.incommingTimestamp,
    };
    const nobodys = { ...item, contactAddress: 'carol.eth' };
    await acknowledge(bob, 'syncAcknoledgment/0', { acknoledgments: [nobodys] });
    expect(await texts(bob)).toContain('gone by its time');
    const answer = await acknowledge(bob, 'syncAcknoledgment/0', { acknoledgments: [nobodys, item] });
    expect(answer).toMatchObject({ status: 200, text: '' });
    expect(await texts(bob)).not.toContain('gone by its time');
    expect(await texts(bob)).toContain('kept by its time');
    await bob.acknowledge((await bob.incoming()).map(({ hash }) => hash));
  });

  it.each([{}, { acknowledgements: 'all' }, { acknoledgments: [{ contactAddress: 'alice.eth' }] }])(
    'of the form %j is refused',
    async (body) => expect((await acknowledge(bob, 'syncAcknowledgements', body)).status).toBe(400),
  );
});

describe('a second device', () => {
  it('still gets what the first has acknowledged, until it has done so too', async () => {
    const dora = await newClient('dora.eth');
    const { hash } = await alice.send({ to: 'dora.eth', text: 'for every device' });
    const body = { acknowledgements: [{ contactAddress: 'alice.eth', messageHash: hash }] };
    const onDesk = { headers: { 'x-dm3-device': 'desk' } };
    expect((await incoming(dora, '?device=phone')).envelopes).toHaveLength(1);
    expect((await incoming(dora, '', onDesk)).envelopes).toHaveLength(1);

    await acknowledge(dora, 'syncAcknowledgements?device=phone', body);
    expect((await incoming(dora, '?device=phone')).envelopes).toHaveLength(0);
    expect((await incoming(dora, '', onDesk)).envelopes).toHaveLength(1);

    await acknowledge(dora, 'syncAcknowledgements', body, onDesk);
    expect((await incoming(dora)).envelopes).toHaveLength(0);
  });
});

describe('a message of whom nobody can verify', () => {
  it('is listed in a header, and found under the name that its sender gave himself', async () => {
    const stranger = new Correspondent(gateway, gateway.alice);
    const known = await alice.send({ to: 'bob.eth', text: 'from Alice' });
    const hash = await stranger.send({ to: 'bob.eth', text: 'from nobody', envelopeFrom: 'Nobody.eth' });
    const { headers } = await incoming(bob);
    expect(headers.get('x-dm3-unverified')).toBe(hash);
    expect(headers.get('access-control-expose-headers')).toContain('x-dm3-unverified');

    const token = await bob.logIn();
    const fromNobody = await ask(`${bob.serviceUrl}/delivery/messages/bob.eth/contact/nobody.eth`, { token });
    expect(fromNobody.json).toHaveLength(1);
    await bob.acknowledge([hash, known.hash]);
    expect((await incoming(bob)).headers.get('x-dm3-unverified')).toBeNull();
  });
});

describe('clients of the older delivery API', () => {
  const sign = (client: RealClient, text: string) => clientCrypto.sign(client.keys.signingKeyPair.privateKey, text);

  it('log in below their own base URL, and do everything else there', async () => {
    const base = `${gateway.url}/legacy/ds`;
    const { json } = await ask(`${base}/auth/bob.eth`);
    const { challenge } = json as { challenge: string };
    const answer = await ask(`${base}/auth/bob.eth`, { body: { signature: await sign(bob, challenge) } });
    expect(answer).toMatchObject({ status: 200, json: { token: expect.any(String) } });
    const { token } = answer.json as { token: string };

    const message = await alice.compose({ to: 'bob.eth', text: 'over the old base' });
    const params = [JSON.stringify(await alice.seal(message)), token];
    const submitted = await ask(`${base}/rpc`, { body: { jsonrpc: '2.0', method: 'dm3_submitMessage', params } });
    expect(submitted.status).toBe(200);
    expect(await ask(`${base}/profile/bob.eth`)).toMatchObject({ status: 200, json: bob.profile });
    const mail = await ask(`${base}/delivery/messages/incoming/bob.eth`, { token });
    expect(mail.json).toHaveLength(1);
    await bob.acknowledge([encryptedHashOf((mail.json as AnyEnvelope[])[0]!)]);
  });

  it('may leave the challenge away at the ordinary place, too', async () => {
    const { json: challenge } = await bob.challenge();
    const url = `${bob.serviceUrl}/auth/bob.eth`;
    const wrong = await ask(url, { body: { signature: await sign(alice, challenge as string) } });
    expect(wrong).toMatchObject({ status: 400, json: { error: 'Signature invalid' } });
    const body = { signature: await sign(bob, challenge as string) };
    const { json } = await ask(url, { body });
    const { token } = json as { token: string };
    expect((await bob.fetchIncoming(token)).status).toBe(200);
    expect((await ask(url, { body })).status).toBe(400);
  });
});

describe('a session', () => {
  it('opens the mailbox under each of its owner’s names', async () => {
    const token = await alice.logIn();
    for (const name of ['alice.eth', addressName(gateway.alice.address)]) {
      const url = `${gateway.deliveryServiceUrl}/delivery/messages/incoming/${name}`;
      expect(await ask(url, { token })).toMatchObject({ status: 200, json: [] });
    }
    const other = `${gateway.deliveryServiceUrl}/delivery/messages/incoming/${addressName(gateway.bob.address)}`;
    expect((await ask(other, { token })).status).toBe(401);
  });

  it('is not had by handing in a profile, which everybody can read', async () => {
    const published = (await alice.fetchProfile()).json;
    const url = `${gateway.deliveryServiceUrl}/profile/alice.eth`;
    const { status, json: token } = await ask(url, { method: 'POST', body: published });
    expect({ status, token }).toEqual({ status: 200, token: expect.any(String) });
    expect((await alice.fetchIncoming(token as string)).status).toBe(401);
  });
});

describe('new keys', () => {
  /** The same wallet, other dm3 keys. */
  function rotated(person: Person): Person {
    const keys = profileKeysFromSeed(gateway.crypto, randomBytes(32));
    const profile = {
      ...person.profile.profile,
      publicEncryptionKey: toBase64(keys.encryption.publicKey),
      publicSigningKey: toBase64(keys.signing.publicKey),
    };
    return { ...person, keys, profile: signProfile(gateway.crypto, profile, fromHex(person.walletPrivateKey)) };
  }

  it('count as soon as they are published, and the old profile does not come back', async () => {
    const erin = await gateway.addPerson('erin.eth', { signUp: true });
    await new Correspondent(gateway, erin).token();
    const renewed = rotated(erin);
    const { registry, plainResolver } = gateway.world;
    await settle(gateway.deployer, { registry, resolver: plainResolver, person: renewed });
    const client = new Correspondent(gateway, renewed);
    expect(await client.token()).toEqual(expect.any(String));

    const profileUrl = (name: string) => `${gateway.deliveryServiceUrl}/profile/${name}`;
    expect((await ask(profileUrl('erin.eth'), { body: renewed.profile })).status).toBe(200);
    for (const name of ['erin.eth', addressName(erin.address)]) {
      const replayed = await ask(profileUrl(name), { body: erin.profile });
      expect(replayed).toMatchObject({ status: 403, json: { code: 'PROFILE_REPLACED' } });
      expect((await ask(profileUrl(name))).json).toEqual(renewed.profile);
    }

    await new Correspondent(gateway, gateway.alice).send({ to: 'erin.eth', text: 'to the new key' });
    const [letter] = await client.inbox();
    expect(letter).toMatchObject({ genuine: true, message: { message: 'to the new key' } });
  });
});

describe('somebody whose account is a contract', () => {
  async function newContractPerson(name: EnsName): Promise<Person> {
    const wallet = toHex(randomBytes(32));
    const owner = createPerson(gateway.crypto, { name, wallet, deliveryService: SERVICE });
    const account = await deployContractWallet(gateway.deployer, owner.address);
    const { profile } = owner.profile;
    const signed = signProfileFor(gateway.crypto, { profile, account, key: fromHex(wallet) });
    const person = { ...owner, address: account, profile: signed };
    const { registry, plainResolver } = gateway.world;
    await settle(gateway.deployer, { registry, resolver: plainResolver, person });
    return person;
  }

  it('signs up, writes as verified, and reads', async () => {
    const person = await newContractPerson('safe.eth' as EnsName);
    const url = `${gateway.deliveryServiceUrl}/profile/safe.eth`;
    const forged = { ...person.profile, signature: gateway.bob.profile.signature };
    expect((await ask(url, { body: forged })).status).toBe(403);
    expect((await ask(url, { body: person.profile })).status).toBe(200);

    const safe = new Correspondent(gateway, person);
    const hash = await safe.send({ to: 'bob.eth', text: 'from a contract' });
    expect((await incoming(bob)).headers.get('x-dm3-unverified')).toBeNull();
    await bob.acknowledge([hash]);
    await new Correspondent(gateway, gateway.bob).send({ to: 'safe.eth', text: 'to a contract' });
    expect((await safe.inbox()).map(({ message }) => message.message)).toEqual(['to a contract']);
  });
});
