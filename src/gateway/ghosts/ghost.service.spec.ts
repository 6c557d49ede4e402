import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EnsName, ForeignAddress } from '../../common/ids.js';
import { AliasNames } from '../../naming/alias/alias-names.js';
import { InvalidForeignAddressError } from '../../naming/alias/codec.js';
import { emailCodec } from '../../naming/alias/email.js';
import { createNobleProvider } from '../../protocol/crypto/noble.js';
import { parseRecord, USER_PROFILE_RECORD } from '../../protocol/profile/record.js';
import { isSignedBy, parseUserProfile } from '../../protocol/profile/user-profile.js';
import { GhostKeys } from './ghost-keys.js';
import { GhostService } from './ghost.service.js';
import { GhostStore } from './ghost.store.js';

const CAROL = 'mailto:carol@example.org' as ForeignAddress;
const LONG = `mailto:${'x.'.repeat(30)}x@${'long-label-of-a-domain.'.repeat(8)}example` as ForeignAddress;
const SECRET = new Uint8Array(32).fill(7);
const crypto = createNobleProvider();

let storage: TestStorage;
let ghosts: GhostService;
beforeAll(async () => void (storage = await openTestStorage('ghosts')));
beforeEach(async () => {
  await storage.db.query('TRUNCATE ghost');
  ghosts = under('gateway.eth');
});
afterAll(() => storage.close());

function under(root: string): GhostService {
  const aliases = new AliasNames({ rootName: root as EnsName, codecs: [emailCodec] });
  const deliveryService = `ds.${root}` as EnsName;
  const formatAddress = (foreign: ForeignAddress) => foreign.replace('mailto:', '');
  const parts = { crypto, clock: { now: () => 0 }, db: storage.db, store: new GhostStore(storage.sealer), aliases };
  return new GhostService({ ...parts, keys: new GhostKeys(crypto, SECRET), deliveryService, formatAddress });
}

const carol = (service = ghosts) => service.ofForeign(CAROL);

describe('a ghost', () => {
  it('is the same person for every spelling of the address', () => {
    expect(ghosts.ofForeign('mailto:Carol@EXAMPLE.org' as ForeignAddress)).toBe(carol());
    expect(() => ghosts.ofForeign('mailto:nobody' as ForeignAddress)).toThrow(InvalidForeignAddressError);
  });

  it('keeps address and keys below another root name', () => {
    const moved = carol(under('other.eth'));
    expect(moved.name).toBe('carol._at.example.org.email.other.eth');
    expect([moved.address, moved.keys]).toEqual([carol().address, carol().keys]);
  });

  it('is found by its name without a database, by its address once it was remembered', async () => {
    expect(await ghosts.byName(carol().name)).toBe(carol());
    expect(await ghosts.byName('bob.eth' as EnsName)).toBeNull();
    expect(await ghosts.byName('_x.email.gateway.eth' as EnsName)).toBeNull();
    expect(await ghosts.byAddress(carol().address)).toBeNull();
    await ghosts.remember(storage.db, carol());
    expect(await ghosts.byAddress(carol().address)).toBe(carol());
    expect(await ghosts.byName(`${carol().address}.addr.gateway.eth` as EnsName)).toBe(carol());
  });

  it('whose address is too long for a name is found by the hash in it, once it was remembered', async () => {
    const ghost = ghosts.ofForeign(LONG);
    expect(ghost.name).toMatch(/^h[a-z2-7]{52}\.email\.gateway\.eth$/);
    expect(await ghosts.byName(ghost.name)).toBeNull();
    await ghosts.remember(storage.db, ghost);
    expect(await ghosts.byName(ghost.name)).toBe(ghost);
  });

  it('serves a profile signed by its own address, and says that it is no end-to-end', async () => {
    const { address, texts } = (await ghosts.find(carol().name))!;
    expect(address).toBe(carol().address);
    const record = parseRecord(texts[USER_PROFILE_RECORD]!);
    const { signed, profile } = parseUserProfile(record.kind === 'data' && record.json);
    expect(isSignedBy(crypto, signed!, address)).toBe(true);
    expect(profile.deliveryServices).toEqual(['ds.gateway.eth']);
    expect(texts).toMatchObject({ name: 'carol@example.org', url: CAROL });
    expect(texts['description']).toContain('up to the gateway only');
    expect(await ghosts.find('bob.eth' as EnsName)).toBeNull();
  });

  it('leaves nothing readable in the database', async () => {
    await ghosts.remember(storage.db, carol());
    const [row] = await storage.db.query('SELECT * FROM ghost');
    expect(
      Object.values(row!)
        .map((value) => `${value as string}`)
        .join('\n'),
    ).not.toMatch(/carol|example/);
  });

  it('opens what is encrypted for any version of its keys so far, the current first', async () => {
    await ghosts.remember(storage.db, carol());
    await storage.db.query('UPDATE ghost SET key_version = 3');
    const current = (await ghosts.byAddress(carol().address))!;
    expect(current.keyVersion).toBe(3);
    const keys = new GhostKeys(crypto, SECRET);
    expect(ghosts.openingKeys(current)).toEqual([3, 2, 1].map((version) => keys.dm3(CAROL, version)));
    expect(current.profile.profile.publicSigningKey).not.toBe(carol().profile.profile.publicSigningKey);
  });
});
