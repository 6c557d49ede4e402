import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DeliveryWorld } from '../../../test/support/delivery-world.js';
import { sendJson, startHttpServer, type TestServer } from '../../../test/support/http-server.js';
import { BoundedCache } from '../../naming/bounded-cache.js';
import { profileKeysFromSeed } from '../../protocol/crypto/keys.js';
import { encryptText } from '../../protocol/crypto/payload.js';
import { toBase64 } from '../../protocol/encoding/base64.js';
import { openDeliveryInformation, parseEnvelope, type Envelope } from '../../protocol/envelope/envelope.js';
import { openPostmark, verifyPostmark } from '../../protocol/envelope/postmark.js';
import type { ProfileExtension } from '../../protocol/profile/extension.js';
import type { Person } from '../../sandbox/people.js';
import { DeliveryServiceClient } from './delivery-service-client.js';
import { ForwardingService, type Parcel } from './forwarding.service.js';
import { ReceiverTerms } from './receiver-terms.js';

type Mood = 'takes' | 'takes old form' | 'takes no form' | 'refuses' | 'fails';
const HASH = `0x${'12'.repeat(32)}` as Parcel['messageHash'];

let world: DeliveryWorld;
let server: TestServer;
let forwarding: ForwardingService;
let bob: Person;
let keys: ReturnType<typeof profileKeysFromSeed>;
const moods = new Map<string, Mood>();
const extensions = new Map<string, object>();
const tried: { service: string; envelope: Envelope }[] = [];
let asked = 0;

/** Other people's delivery services: `<name>.eth` lives below `/<name>`. */
beforeAll(async () => {
  world = await DeliveryWorld.open('forwarding');
  bob = await world.person('bob.eth', { signUp: true });
  keys = profileKeysFromSeed(world.crypto, randomBytes(32));
  server = await startHttpServer(async (request, response) => {
    const service = request.url!.split('/')[1]!;
    const { method, params } = JSON.parse(Buffer.concat(await request.toArray()).toString());
    if (method === 'dm3_getDeliveryServiceProperties') {
      asked += 1;
      if (moods.get(service) === 'fails') return void response.writeHead(503).end();
      return sendJson(response, { result: JSON.stringify({ messageTTL: 0, sizeLimit: 7_000 }) });
    }
    if (method === 'dm3_getProfileExtension') {
      const extension = extensions.get(service);
      return extension
        ? sendJson(response, { result: JSON.stringify(extension) })
        : sendJson(response, { error: 'unknown user' }, 400);
    }
    const envelope = parseEnvelope(params[0]);
    tried.push({ service, envelope });
    const { status, body } = answer(moods.get(service)!, envelope);
    return sendJson(response, body, status);
  });
  for (const name of ['one', 'two']) {
    const { encryption, signing } = keys;
    const publicKeys = {
      publicEncryptionKey: toBase64(encryption.publicKey),
      publicSigningKey: toBase64(signing.publicKey),
    };
    world.ens.publishService(`${name}.eth`, { ...publicKeys, url: `${server.url}/${name}` });
  }
});
afterAll(async () => {
  await server.stop();
  await world.close();
});

function answer(mood: Mood, { metadata }: Envelope): { status: number; body: unknown } {
  const isOld = metadata.encryptedMessageHash !== undefined;
  if (mood === 'takes' || (mood === 'takes old form' && isOld)) return { status: 200, body: { result: 'OK' } };
  if (mood === 'refuses') return { status: 400, body: { error: 'unknown user' } };
  if (mood === 'fails') return { status: 503, body: { error: 'come back later' } };
  return { status: 400, body: { error: 'invalid schema' } };
}

beforeEach(() => {
  tried.length = 0;
  moods.clear();
  extensions.clear();
  const { crypto, own, submissions, profiles, clock } = world;
  const post = async (url: string, body: unknown) => {
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
    return { status: response.status, text: await response.text() };
  };
  const client = new DeliveryServiceClient(post);
  const sizeLimits = new BoundedCache<number | null>({ clock, maxEntries: 10, ttlMs: (limit) => (limit ? 1_000 : 0) });
  const parts = { crypto, random: randomBytes, own, submissions, profiles };
  const unkept = new BoundedCache<ProfileExtension | null>({ clock, maxEntries: 1, ttlMs: () => 0 });
  const terms = new ReceiverTerms({ client, facts: world.chain, extensions: unkept });
  forwarding = new ForwardingService({ ...parts, ownSizeLimit: 20_000, client, terms, sizeLimits });
});

const profileWith = (...deliveryServices: string[]) => ({ ...bob.profile.profile, deliveryServices });
const parcel = async (): Promise<Parcel> => {
  const sender = await world.person('ghost.eth');
  return {
    encryptedMessage: encryptText(world.crypto, bob.keys.encryption.publicKey, 'Hello Bob', randomBytes),
    messageHash: HASH,
    messageType: 'NEW',
    deliveryInformation: { to: 'bob.eth', from: 'ghost.eth' },
    senderAddress: sender.address,
    senderSigningKey: sender.keys.signing.privateKey,
  };
};
const forward = async (...services: string[]) => forwarding.forward(await parcel(), profileWith(...services));
const order = () => tried.map(({ service }) => service);

describe('forward', () => {
  it('hands the message to the first service, which alone can open whom it is for', async () => {
    moods.set('one', 'takes');
    expect(await forward('one.eth', 'two.eth')).toBe('messageHash');
    expect(order()).toEqual(['one']);
    const { envelope } = tried[0]!;
    expect(envelope.metadata.messageHash).toBe(HASH);
    expect(openDeliveryInformation(world.crypto, envelope, keys.encryption)).toEqual({
      to: 'bob.eth',
      from: 'ghost.eth',
    });
  });

  it('speaks the older form where the newer is not understood, with the same message', async () => {
    moods.set('one', 'takes old form');
    expect(await forward('one.eth')).toBe('encryptedMessageHash');
    expect(order()).toEqual(['one', 'one']);
    expect(tried[0]!.envelope.message).toBe(tried[1]!.envelope.message);
  });

  it('goes on to the next service, and to our own without the network', async () => {
    moods.set('one', 'fails').set('two', 'refuses');
    expect(await forward('one.eth', 'TWO.eth', 'ds.gateway.eth')).toBe('messageHash');
    expect(order()).toEqual(['one', 'two']);
    expect(await world.inbox(bob)).toHaveLength(1);
  });

  it('tries again later if any service may take it then, and says what each one said', async () => {
    moods.set('one', 'fails').set('two', 'refuses');
    await expect(forward('one.eth', 'two.eth')).rejects.toMatchObject({
      code: 'FORWARDING_DELAYED',
      retryable: true,
      message: 'No delivery service took the message (one.eth: come back later; two.eth: unknown user).',
    });
    world.ens.isDown = true;
    const delayed = forwarding.forward({ ...(await parcel()) }, profileWith('one.eth'));
    await expect(delayed).rejects.toMatchObject({ retryable: true });
    world.ens.isDown = false;
  });

  it.each([
    ['all refuse', ['one.eth'], /\(one\.eth: unknown user\)\.$/],
    ['no form is understood', ['two.eth'], /two\.eth: it understands neither form/],
    [
      'a service has no record',
      ['none.eth'],
      /none\.eth: The ENS name none\.eth has no network\.dm3\.deliveryService record/,
    ],
    ['a service is no name', ['not a name'], /not a name: it is not an ENS name/],
    ['there is none', [], /names no delivery service\.$/],
  ])('gives up where %s', async (_, services, message) => {
    moods.set('one', 'refuses').set('two', 'takes no form');
    await expect(forward(...services)).rejects.toMatchObject({
      code: 'FORWARDING_REFUSED',
      retryable: false,
      message: expect.stringMatching(message),
    });
  });
});

describe('to our own service', () => {
  it('the message gets the same postmark, and nothing leaves the machine', async () => {
    const sent = await parcel();
    await forwarding.forward(sent, profileWith('ds.gateway.eth', 'one.eth'));
    expect(tried).toEqual([]);
    const [kept] = await world.inbox(bob);
    expect(kept!.message).toBe(sent.encryptedMessage);
    const postmark = openPostmark(world.crypto, kept!.postmark, bob.keys.encryption);
    expect(verifyPostmark(world.crypto, postmark, kept!.message, world.own.keys.signing.publicKey)).toBe(true);
  });

  it('the message meets the same checks: rules, size, and the signature of its sender', async () => {
    const [letter, before] = [await parcel(), await world.inbox(bob)];
    const deliver = (parts: Partial<Parcel> = {}) =>
      forwarding.forward({ ...letter, ...parts }, profileWith('ds.gateway.eth'));
    const refused = (reason: RegExp) => ({ message: expect.stringMatching(reason) as unknown, retryable: false });

    await world.spam.setRules(bob.address, { block: ['ghost.eth'] });
    await expect(deliver()).rejects.toMatchObject(refused(/does not take messages from this sender/));
    await world.spam.setRules(bob.address, {});
    const encryptedMessage = encryptText(world.crypto, bob.keys.encryption.publicKey, 'x'.repeat(20_000), randomBytes);
    await expect(deliver({ encryptedMessage })).rejects.toMatchObject(refused(/takes 20000 at most/));
    const senderSigningKey = bob.keys.signing.privateKey;
    await expect(deliver({ senderSigningKey })).rejects.toMatchObject(refused(/does not match the dm3 profile/));
    expect(await world.inbox(bob)).toEqual(before);
  });
});

describe('what the receiver takes', () => {
  it.each([
    ['the type of the message', { supportedMessageTypes: ['EDIT'] }, /no messages of the type NEW/],
    ['a sender so new', { spamFilterRules: { minNonce: 5 } }, /have sent at least 5 transactions/],
    ['a sender so poor', { spamFilterRules: { minBalance: '7' } }, /hold at least 7 wei/],
  ])('is asked first: it is not %s', async (_, extension, message) => {
    extensions.set('one', extension);
    moods.set('one', 'takes').set('two', 'takes');
    await expect(forward('one.eth')).rejects.toMatchObject({
      code: 'FORWARDING_REFUSED',
      retryable: false,
      message: expect.stringMatching(message),
    });
    expect(tried).toEqual([]);
    expect(await forward('one.eth', 'two.eth')).toBe('messageHash');
    expect(order()).toEqual(['two']);
  });

  it.each([
    ['everything', { supportedMessageTypes: ['NEW'], spamFilterRules: { minNonce: 0, minBalance: '0' } }],
    ['verified senders', { spamFilterRules: { requireVerifiedSender: true } }],
    ['something nobody understands', { spamFilterRules: { minNonce: 'many' } }],
    [
      'holders of something that our chain does not know',
      { spamFilterRules: { minTokenBalance: { address: `0x${'12'.repeat(20)}`, amount: '1' } } },
    ],
  ])('is left to its own service if it is %s', async (_, extension) => {
    extensions.set('one', extension);
    moods.set('one', 'takes');
    expect(await forward('one.eth')).toBe('messageHash');
  });
});

describe('sizeLimit', () => {
  it('is that of the first service which says one, and is remembered for a while', async () => {
    const before = asked;
    expect(await forwarding.sizeLimit(profileWith('none.eth', 'one.eth'))).toBe(7_000);
    expect(await forwarding.sizeLimit(profileWith('one.eth'))).toBe(7_000);
    expect(asked).toBe(before + 1);
    world.clock.time += 1_001;
    expect(await forwarding.sizeLimit(profileWith('one.eth'))).toBe(7_000);
    expect(asked).toBe(before + 2);
  });

  it('is our own for our own, and unknown where nobody says', async () => {
    moods.set('one', 'fails');
    expect(await forwarding.sizeLimit(profileWith('DS.gateway.eth'))).toBe(20_000);
    expect(await forwarding.sizeLimit(profileWith('one.eth', 'none.eth', 'not a name'))).toBeNull();
    moods.set('one', 'takes');
    expect(await forwarding.sizeLimit(profileWith('one.eth'))).toBe(7_000);
  });
});
