import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { keyOwners } from '../../test/support/memory-ens.js';
import { sendJson, startHttpServer, type TestServer } from '../../test/support/http-server.js';
import { parseEthAddress } from '../common/ids.js';
import { createNobleProvider } from '../protocol/crypto/noble.js';
import { dataRecord } from '../protocol/profile/record.js';
import { normaliseName } from './ens-name.js';
import { NamingUnavailableError } from './errors.js';
import { ProfileResolver, type ProfileResolverOptions } from './profile-resolver.js';

function firstVector(file: string) {
  const url = new URL(`../../test/vectors/${file}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')).vectors[0];
}

const user = firstVector('profile');
const service = firstVector('ds-profile');
const ALICE = normaliseName('alice.eth');
const ADDRESS = parseEthAddress(user.address)!;
const STRANGER = parseEthAddress(`0x${'12'.repeat(20)}`)!;

const ens = {
  resolveAddress: jest.fn<ProfileResolverOptions['ens']['resolveAddress']>(),
  text: jest.fn<ProfileResolverOptions['ens']['text']>(),
};
let server: TestServer;
let now: number;
let resolver: ProfileResolver;

beforeAll(async () => {
  server = await startHttpServer();
});

afterAll(() => server.stop());

beforeEach(() => {
  now = 0;
  ens.resolveAddress.mockReset().mockResolvedValue(ADDRESS);
  ens.text.mockReset().mockResolvedValue(user.records.plain);
  resolver = newResolver();
});

function newResolver(changes: Partial<ProfileResolverOptions> = {}): ProfileResolver {
  return new ProfileResolver({
    ens,
    crypto: createNobleProvider(),
    owners: keyOwners,
    clock: { now: () => now },
    acceptBareProfiles: false,
    ipfsGateway: `${server.url}/ipfs/`,
    allowPrivateFetch: true,
    ...changes,
  });
}

const link = (dm3Hash: string) => `${server.url}/alice?dm3Hash=${dm3Hash}`;
const invalid = (reason: RegExp) => ({
  code: 'PROFILE_INVALID',
  retryable: false,
  message: expect.stringMatching(reason),
});
const unavailable = { code: 'NAMING_UNAVAILABLE', kind: 'unavailable', retryable: true };

describe('ProfileResolver.userProfile', () => {
  it.each(['plain', 'base64', 'charsetBase64', 'urlEncoded'])('reads a %s data record', async (form) => {
    ens.text.mockResolvedValue(user.records[form]);
    const resolved = await resolver.userProfile(ALICE);
    expect(resolved).toMatchObject({
      name: ALICE,
      address: ADDRESS,
      profile: user.profile,
      signed: user.signedUserProfile,
      ownerVerified: true,
    });
    expect(Buffer.from(resolved.keys.encryption).toString('base64')).toBe(user.profile.publicEncryptionKey);
    expect(Buffer.from(resolved.keys.signing).toString('base64')).toBe(user.profile.publicSigningKey);
    expect(ens.text).toHaveBeenCalledWith(ALICE, 'network.dm3.profile');
  });

  it('reads a document behind a link that carries its hash', async () => {
    ens.text.mockResolvedValue(link(user.dm3Hash));
    server.handler = (_, response) => sendJson(response, user.signedUserProfile);
    await expect(resolver.userProfile(ALICE)).resolves.toMatchObject({ profile: user.profile });
  });

  it('reads a document from IPFS through the gateway', async () => {
    ens.text.mockResolvedValue('ipfs://bafkreib');
    const asked = jest.fn();
    server.handler = (request, response) => {
      asked(request.url);
      sendJson(response, user.signedUserProfile);
    };
    await expect(resolver.userProfile(ALICE)).resolves.toMatchObject({ ownerVerified: true });
    expect(asked).toHaveBeenCalledWith('/ipfs/bafkreib');
  });

  it('tells a name that does not exist from one without a profile', async () => {
    ens.text.mockResolvedValue(null);
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject({ code: 'PROFILE_NOT_FOUND', kind: 'not-found' });
    ens.resolveAddress.mockResolvedValue(null);
    const nobody = resolver.userProfile(normaliseName('nobody.eth'));
    await expect(nobody).rejects.toMatchObject({ code: 'NAME_NOT_FOUND', kind: 'not-found' });
  });

  it('refuses a profile that the owner of the name did not sign', async () => {
    ens.resolveAddress.mockResolvedValue(STRANGER);
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(invalid(/signature/));
  });

  it('refuses a bare profile, unless the operator takes them', async () => {
    ens.text.mockResolvedValue(dataRecord(user.profile));
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(invalid(/nobody signed it/));
    const lenient = newResolver({ acceptBareProfiles: true });
    await expect(lenient.userProfile(ALICE)).resolves.toMatchObject({ signed: null, ownerVerified: false });
  });

  it('refuses a wrong signature even where bare profiles are taken', async () => {
    ens.resolveAddress.mockResolvedValue(STRANGER);
    const lenient = newResolver({ acceptBareProfiles: true });
    await expect(lenient.userProfile(ALICE)).rejects.toMatchObject(invalid(/signature/));
  });

  it.each([
    ['is no profile record', 'hello', /record cannot be read/],
    ['is not JSON', 'data:application/json,{', /not JSON/],
    [
      'has a key of a wrong length',
      dataRecord({ ...user.profile, publicEncryptionKey: 'AAAA' }),
      /publicEncryptionKey/,
    ],
    ['has a link without a hash', 'https://profiles.example/alice', /dm3Hash/],
  ])('refuses a record that %s', async (_, record, reason) => {
    ens.text.mockResolvedValue(record);
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(invalid(reason));
  });

  it('refuses a document that does not match its hash', async () => {
    ens.text.mockResolvedValue(link(`0x${'00'.repeat(32)}`));
    server.handler = (_, response) => sendJson(response, user.signedUserProfile);
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(invalid(/hash/i));
  });

  it('refuses a link into a private network', async () => {
    ens.text.mockResolvedValue(link(user.dm3Hash));
    const careful = newResolver({ allowPrivateFetch: false });
    await expect(careful.userProfile(ALICE)).rejects.toMatchObject(invalid(/public internet/));
  });

  it('refuses a record that is too long to be kept, in whatever form', async () => {
    const long = { ...user.signedUserProfile, padding: 'x'.repeat(64 * 1024) };
    ens.text.mockResolvedValue(dataRecord(long));
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(invalid(/larger than 65536 bytes/));
    ens.text.mockResolvedValue(link(user.dm3Hash));
    server.handler = (_, response) => sendJson(response, long);
    await expect(newResolver().userProfile(ALICE)).rejects.toMatchObject(invalid(/larger than 65536 bytes/));
  });

  it('asks an IPFS gateway of our own also on a private network, and nobody else there', async () => {
    const careful = newResolver({ allowPrivateFetch: false });
    ens.text.mockResolvedValue('ipfs://bafkreib');
    server.handler = (_, response) => sendJson(response, user.signedUserProfile);
    await expect(careful.userProfile(ALICE)).resolves.toMatchObject({ ownerVerified: true });
    server.handler = (_, response) => response.writeHead(302, { location: 'http://127.0.0.2/' }).end();
    const led = newResolver({ allowPrivateFetch: false }).userProfile(ALICE);
    await expect(led).rejects.toMatchObject(invalid(/public internet/));
  });

  it.each([404, 410, 429, 504])('takes HTTP %i of the IPFS gateway for "not now"', async (status) => {
    ens.text.mockResolvedValue('ipfs://bafkreib');
    server.handler = (_, response) => sendJson(response, {}, status);
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(unavailable);
  });

  it('takes an id that the IPFS gateway cannot read for a bad record', async () => {
    ens.text.mockResolvedValue('ipfs://nonsense');
    server.handler = (_, response) => sendJson(response, {}, 400);
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(invalid(/400/));
  });

  it('tells a host that has no document from one that is down', async () => {
    ens.text.mockResolvedValue(link(user.dm3Hash));
    server.handler = (_, response) => sendJson(response, {}, 503);
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(unavailable);
    server.handler = (_, response) => sendJson(response, {}, 404);
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(invalid(/404/));
  });
});

describe('ProfileResolver.deliveryService', () => {
  it('reads the profile of a delivery service', async () => {
    ens.text.mockResolvedValue(service.record);
    const name = normaliseName('ds.eth');
    const resolved = await resolver.deliveryService(name);
    expect(resolved).toMatchObject({ name, url: service.profile.url });
    expect(Buffer.from(resolved.keys.encryption).toString('base64')).toBe(service.profile.publicEncryptionKey);
    expect(ens.text).toHaveBeenCalledWith(name, 'network.dm3.deliveryService');
  });

  it.each(['plain', 'base64', 'urlEncoded', 'linked', 'on IPFS'])('reads it %s', async (form) => {
    const json = JSON.stringify(service.profile);
    const records: Record<string, string> = {
      plain: `data:application/json,${json}`,
      base64: `data:application/json;base64,${Buffer.from(json).toString('base64')}`,
      urlEncoded: `data:application/json,${encodeURIComponent(json)}`,
      linked: `${server.url}/ds?dm3Hash=${service.dm3Hash}`,
      'on IPFS': 'ipfs://bafkreib',
    };
    ens.text.mockResolvedValue(records[form]!);
    server.handler = (_, response) => sendJson(response, service.profile);
    await expect(resolver.deliveryService(normaliseName('ds.eth'))).resolves.toMatchObject({
      url: service.profile.url,
    });
  });

  it('refuses one that does not match the hash in its link: nobody signed it', async () => {
    ens.text.mockResolvedValue(`${server.url}/ds?dm3Hash=${service.dm3Hash}`);
    server.handler = (_, response) => sendJson(response, { ...service.profile, url: 'https://elsewhere.example' });
    await expect(resolver.deliveryService(normaliseName('ds.eth'))).rejects.toMatchObject(invalid(/hash/i));
  });

  it('says what is missing or wrong', async () => {
    ens.text.mockResolvedValueOnce(null).mockResolvedValueOnce('data:application/json,{}');
    const missing = resolver.deliveryService(normaliseName('one.eth'));
    await expect(missing).rejects.toMatchObject({
      code: 'PROFILE_NOT_FOUND',
      message: expect.stringMatching(/deliveryService/),
    });
    const wrong = resolver.deliveryService(normaliseName('two.eth'));
    await expect(wrong).rejects.toMatchObject(invalid(/publicSigningKey/));
  });
});

describe('what ProfileResolver remembers', () => {
  const lookUps = () => ens.text.mock.calls.length;

  it('believes a profile for five minutes', async () => {
    await resolver.userProfile(ALICE);
    now = 5 * 60_000 - 1;
    await resolver.userProfile(ALICE);
    expect(lookUps()).toBe(1);
    now = 5 * 60_000;
    await resolver.userProfile(ALICE);
    expect(lookUps()).toBe(2);
  });

  it('asks once for all who ask at the same time', async () => {
    await Promise.all([resolver.userProfile(ALICE), resolver.userProfile(ALICE), resolver.userProfile(ALICE)]);
    expect(lookUps()).toBe(1);
  });

  it('does not keep that a document was out of reach', async () => {
    ens.text.mockResolvedValue(link(user.dm3Hash));
    server.handler = (_, response) => sendJson(response, {}, 503);
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(unavailable);
    server.handler = (_, response) => sendJson(response, user.signedUserProfile);
    await expect(resolver.userProfile(ALICE)).resolves.toMatchObject({ name: ALICE });
  });

  it('believes that there is none for one minute', async () => {
    ens.text.mockResolvedValueOnce(null);
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject({ code: 'PROFILE_NOT_FOUND' });
    now = 59_999;
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject({ code: 'PROFILE_NOT_FOUND' });
    expect(lookUps()).toBe(1);
    now = 60_000;
    await expect(resolver.userProfile(ALICE)).resolves.toMatchObject({ name: ALICE });
  });

  it('looks again for whom what it knows is too old, and believes the answer', async () => {
    await resolver.userProfile(ALICE);
    now = 2_000;
    await resolver.userProfile(ALICE, 3_000);
    expect(lookUps()).toBe(1);
    await resolver.userProfile(ALICE, 2_000);
    expect(lookUps()).toBe(2);
    now = 3_999;
    await resolver.userProfile(ALICE, 2_000);
    expect(lookUps()).toBe(2);
  });

  it('goes on believing what it knew if looking again fails', async () => {
    await resolver.userProfile(ALICE);
    now = 1_000;
    ens.text.mockRejectedValueOnce(new NamingUnavailableError({ subject: 'The name', reason: 'the node is down' }));
    await expect(resolver.userProfile(ALICE, 1_000)).rejects.toMatchObject(unavailable);
    await expect(resolver.userProfile(ALICE)).resolves.toMatchObject({ name: ALICE });
    expect(lookUps()).toBe(2);
  });

  it('keeps no failed look-up, and lets none prolong what it knew', async () => {
    await resolver.userProfile(ALICE);
    now = 5 * 60_000;
    ens.text.mockRejectedValueOnce(new NamingUnavailableError({ subject: 'The name', reason: 'the node is down' }));
    await expect(resolver.userProfile(ALICE)).rejects.toMatchObject(unavailable);
    await expect(resolver.userProfile(ALICE)).resolves.toMatchObject({ name: ALICE });
    expect(lookUps()).toBe(3);
  });
});
