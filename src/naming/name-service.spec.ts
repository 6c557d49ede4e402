import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { parseEthAddress } from '../common/ids.js';
import { AliasNames } from './alias/alias-names.js';
import { emailCodec } from './alias/email.js';
import { TopLevelDirectory } from './alias/top-level-directory.js';
import type { EnsClient } from './ens-client.js';
import { normaliseName } from './ens-name.js';
import { NameNotFoundError, NamingUnavailableError, ProfileInvalidError, ProfileNotFoundError } from './errors.js';
import { NameService } from './name-service.js';
import type { ProfileResolver, ResolvedProfile } from './profile-resolver.js';

const ROOT = normaliseName('gateway.eth');
const ALICE = normaliseName('alice.eth');
const GHOST = normaliseName('carol._at.example.com.email.gateway.eth');
const ADDRESS = parseEthAddress(`0x${'a1'.repeat(20)}`)!;
const OTHER = parseEthAddress(`0x${'b2'.repeat(20)}`)!;
const POSITIVE_TTL_MS = 1_000;
const NEGATIVE_TTL_MS = 100;

const ens = {
  resolveAddress: jest.fn<EnsClient['resolveAddress']>(),
  primaryName: jest.fn<EnsClient['primaryName']>(),
};
const profiles = { userProfile: jest.fn<ProfileResolver['userProfile']>() };
let now: number;
let names: NameService;

beforeEach(() => {
  now = 0;
  ens.resolveAddress.mockReset().mockResolvedValue(ADDRESS);
  ens.primaryName.mockReset().mockResolvedValue(ALICE);
  profiles.userProfile.mockReset().mockResolvedValue({ address: ADDRESS } as ResolvedProfile);
  names = new NameService({
    rootName: ROOT,
    ens,
    profiles,
    aliases: new AliasNames({ rootName: ROOT, codecs: [emailCodec] }),
    topLevel: new TopLevelDirectory(new Map(), null),
    clock: { now: () => now },
    positiveTtlMs: POSITIVE_TTL_MS,
    negativeTtlMs: NEGATIVE_TTL_MS,
  });
});

describe('NameService.resolveAddress', () => {
  it('asks ENS once while an address is believed, and sees a new one afterwards', async () => {
    await expect(names.resolveAddress(ALICE)).resolves.toBe(ADDRESS);
    ens.resolveAddress.mockResolvedValue(OTHER);
    now = POSITIVE_TTL_MS - 1;
    await expect(names.resolveAddress(ALICE)).resolves.toBe(ADDRESS);
    expect(ens.resolveAddress).toHaveBeenCalledTimes(1);
    now = POSITIVE_TTL_MS;
    await expect(names.resolveAddress(ALICE)).resolves.toBe(OTHER);
  });

  it('believes for a short time only that a name has no address', async () => {
    ens.resolveAddress.mockResolvedValueOnce(null);
    await expect(names.resolveAddress(ALICE)).resolves.toBeNull();
    now = NEGATIVE_TTL_MS - 1;
    await expect(names.resolveAddress(ALICE)).resolves.toBeNull();
    now = NEGATIVE_TTL_MS;
    await expect(names.resolveAddress(ALICE)).resolves.toBe(ADDRESS);
  });

  it('asks once for all who ask at the same time', async () => {
    const answers = await Promise.all([names.resolveAddress(ALICE), names.resolveAddress(ALICE)]);
    expect(answers).toEqual([ADDRESS, ADDRESS]);
    expect(ens.resolveAddress).toHaveBeenCalledTimes(1);
  });

  it('tells that ENS cannot be asked, and asks again the next time', async () => {
    ens.resolveAddress.mockRejectedValueOnce(new NamingUnavailableError({ subject: 'The name', reason: 'no answer' }));
    await expect(names.resolveAddress(ALICE)).rejects.toMatchObject({ code: 'NAMING_UNAVAILABLE' });
    await expect(names.resolveAddress(ALICE)).resolves.toBe(ADDRESS);
  });

  it('does not let ENS being away bring an old address back', async () => {
    await names.resolveAddress(ALICE);
    now = POSITIVE_TTL_MS;
    ens.resolveAddress.mockRejectedValue(new NamingUnavailableError({ subject: 'The name', reason: 'no answer' }));
    await expect(names.resolveAddress(ALICE)).rejects.toMatchObject({ code: 'NAMING_UNAVAILABLE' });
  });

  it('keeps the addresses of different names apart', async () => {
    ens.resolveAddress.mockImplementation(async (name) => (name === ALICE ? ADDRESS : OTHER));
    await names.resolveAddress(ALICE);
    await expect(names.resolveAddress(normaliseName('bob.eth'))).resolves.toBe(OTHER);
  });

  it('answers names of our own from their source, as it is now', async () => {
    const find = jest.fn(async () => ({ address: ADDRESS, texts: {} }));
    names.addSource({ find });
    await expect(names.resolveAddress(GHOST)).resolves.toBe(ADDRESS);
    find.mockResolvedValue({ address: OTHER, texts: {} });
    await expect(names.resolveAddress(GHOST)).resolves.toBe(OTHER);
    expect(ens.resolveAddress).not.toHaveBeenCalled();
  });

  it('reads an address name without asking anybody', async () => {
    const name = normaliseName(`${OTHER}.addr.somebody.eth`);
    await expect(names.resolveAddress(name)).resolves.toBe(OTHER);
    expect(ens.resolveAddress).not.toHaveBeenCalled();
  });
});

describe('NameService.primaryName', () => {
  it('is the name that the address calls itself, if the profile there is of the same address', async () => {
    await expect(names.primaryName(ADDRESS)).resolves.toBe(ALICE);
    await expect(names.primaryName(OTHER)).resolves.toBeNull();
    ens.primaryName.mockResolvedValue(null);
    await expect(names.primaryName(ADDRESS)).resolves.toBeNull();
  });

  it.each([
    ['no address', new NameNotFoundError({ name: ALICE })],
    ['no profile', new ProfileNotFoundError({ name: ALICE })],
    ['a profile nobody can use', new ProfileInvalidError({ name: ALICE, record: 'r', reason: 'nobody signed it' })],
  ])('is none where the name has %s, as nobody can be reached by it; it is claimed all the same', async (_, error) => {
    profiles.userProfile.mockRejectedValue(error);
    await expect(names.primaryName(ADDRESS)).resolves.toBeNull();
    await expect(names.nameOfAddress(ADDRESS)).resolves.toBe(`${ADDRESS}.addr.gateway.eth`);
    await expect(names.claimedName(ADDRESS)).resolves.toBe(ALICE);
  });

  it('is not denied while ENS cannot be asked', async () => {
    const unavailable = new NamingUnavailableError({ subject: 'The name', reason: 'no answer' });
    profiles.userProfile.mockRejectedValue(unavailable);
    await expect(names.primaryName(ADDRESS)).rejects.toBe(unavailable);
  });
});
