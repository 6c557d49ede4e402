import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryEns, namesOver } from '../../../test/support/memory-ens.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EnsName, EthAddress, ForeignAddress } from '../../common/ids.js';
import { BoundedCache } from '../../naming/bounded-cache.js';
import { NamingUnavailableError } from '../../naming/errors.js';
import type { SignedLink } from './link.js';
import { LinkStore } from './link.store.js';
import { LinkedProfiles } from './linked-profiles.js';
import { LinkedRecords } from './linked-records.js';
import type { OwnerSignatures } from './owner-signatures.js';

const [GHOST, OWNER, THIEF] = ['1', '2', '3'].map((digit) => `0x${digit.repeat(40)}` as EthAddress) as [
  EthAddress,
  EthAddress,
  EthAddress,
];
const ALIAS = 'alice._at.example.org.email.gateway.eth' as EnsName;
const TTL_MS = 1_000;

const isBy = jest.fn<OwnerSignatures['isBy']>();
let storage: TestStorage;
let store: LinkStore;
let ens: MemoryEns;
let links: LinkedProfiles;
let now: number;
beforeAll(async () => {
  storage = await openTestStorage('linked_profiles');
  store = new LinkStore(storage.sealer);
});
beforeEach(async () => {
  await storage.db.query('TRUNCATE profile_link');
  now = 0;
  isBy.mockReset().mockResolvedValue(true);
  ens = new MemoryEns();
  ens.setAddress('alice.eth', OWNER);
  const believed = new BoundedCache<boolean>({ clock: { now: () => now }, maxEntries: 10, ttlMs: () => TTL_MS });
  const signatures = { isBy } as unknown as OwnerSignatures;
  links = new LinkedProfiles({ db: storage.db, store, names: namesOver(ens).names, signatures, believed });
});
afterAll(() => storage.close());

function newLink(type: 'ProfileLink' | 'EthAddressLink' = 'EthAddressLink'): SignedLink {
  const times = { issuedAt: 1, expirationTime: Math.floor(Date.now() / 1_000) + 3_600 };
  return {
    id: randomUUID(),
    foreign: 'mailto:alice@example.org' as ForeignAddress,
    main: 'alice.eth' as EnsName,
    owner: OWNER,
    profileLink: { type, mainId: OWNER, linkedProfile: ALIAS, scopeUri: 'https://gw', nonce: 1, ...times },
    signature: '0x12',
  };
}

/** @returns whether it got published */
async function publish(link: SignedLink): Promise<boolean> {
  return storage.db.transaction(async (tx) => {
    await store.lock(tx, GHOST);
    return store.publish(tx, link, GHOST);
  });
}

async function published(type?: 'ProfileLink' | 'EthAddressLink'): Promise<SignedLink> {
  const link = newLink(type);
  await store.begin(storage.db, link, GHOST, 60);
  await publish(link);
  return link;
}

describe('LinkedProfiles', () => {
  it('knows a link from its publication to its removal, by either side', async () => {
    const link = newLink();
    await store.begin(storage.db, link, GHOST, 60);
    expect(await links.ofGhost(GHOST)).toBeNull();
    expect(await links.ofOwner(OWNER)).toEqual([]);
    await publish(link);
    expect(await links.ofGhost(GHOST)).toEqual(link);
    expect(await links.ofOwner(OWNER)).toEqual([link]);
    await store.remove(storage.db, link.id);
    expect(await links.ofGhost(GHOST)).toBeNull();
  });

  it('knows one link of an address, also when two are published at once', async () => {
    const rivals = [newLink(), newLink()];
    for (const link of rivals) await store.begin(storage.db, link, GHOST, 60);
    expect(await Promise.all(rivals.map(publish))).toEqual([true, true]);
    expect(await links.ofOwner(OWNER)).toHaveLength(1);
    expect(await publish(newLink())).toBe(false);
  });

  it('believes nothing of a name that moved', async () => {
    await published();
    ens.setAddress('alice.eth', THIEF);
    expect(await links.ofGhost(GHOST)).toBeNull();
    expect(await links.ofOwner(OWNER)).toEqual([]);
    expect(await links.ofOwner(THIEF)).toEqual([]);
  });

  it('asks about a wallet’s signature again after a while, about a profile’s each time', async () => {
    await published('EthAddressLink');
    await links.ofGhost(GHOST);
    await links.ofGhost(GHOST);
    expect(isBy).toHaveBeenCalledTimes(1);
    isBy.mockResolvedValue(false);
    now += TTL_MS;
    expect(await links.ofGhost(GHOST)).toBeNull();
    isBy.mockResolvedValue(true);
    await published('ProfileLink');
    expect(await links.ofGhost(GHOST)).not.toBeNull();
    isBy.mockResolvedValue(false);
    expect(await links.ofGhost(GHOST)).toBeNull();
  });

  it('says that it cannot tell, and shows nothing, while the chain is out of reach', async () => {
    await published();
    ens.isDown = true;
    await expect(links.ofGhost(GHOST)).rejects.toThrow(NamingUnavailableError);
    expect(await links.shownOf(GHOST)).toBeNull();
  });
});

describe('LinkedRecords', () => {
  const ghosts = { find: async () => ({ address: GHOST, texts: { description: 'A ghost.' } }) };
  const find = (name: string) => new LinkedRecords({ ghosts, links }).find(name as EnsName);

  it('shows the link under the name that it is about, and under no other name of the ghost', async () => {
    expect((await find(ALIAS))!.texts).toEqual({ description: 'A ghost.' });
    await published();
    const { texts } = (await find(ALIAS))!;
    expect(texts).toMatchObject({
      description: 'A ghost. Linked with alice.eth.',
      'network.dm3.linkedName': 'alice.eth',
    });
    expect(texts['network.dm3.profileLink']).toMatch(
      /^data:application\/json,\{"profileLink":\{.*"signature":"0x12"\}$/,
    );
    expect((await find('alice._at.example.org.email.other.eth'))!.texts).toEqual({ description: 'A ghost.' });
  });

  it('still answers while nobody can tell whether the link holds', async () => {
    await published();
    ens.isDown = true;
    expect((await find(ALIAS))!.texts).toEqual({ description: 'A ghost.' });
  });

  it('leaves names alone that are no ghost’s', async () => {
    const none = new LinkedRecords({ ghosts: { find: async () => null }, links });
    expect(await none.find('bob.eth' as EnsName)).toBeNull();
  });
});
