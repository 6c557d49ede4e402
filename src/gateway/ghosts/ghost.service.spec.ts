import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
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
import { KeyHistory } from './key-history.js';

const CAROL = 'mailto:carol@example.org' as ForeignAddress;
const LONG = `mailto:${'x.'.repeat(30)}x@${'long-label-of-a-domain.'.repeat(8)}example` as ForeignAddress;
const SECRET = new Uint8Array(32).fill(7);
const crypto = createNobleProvider();
const keys = new GhostKeys(crypto, SECRET);
const SECOND = 1_000;
const DAY = 86_400 * SECOND;
const BELIEVED_SECONDS = 600;

let storage: TestStorage;
let history: KeyHistory;
let ghosts: GhostService;
let now = Date.now();
const clock = { now: () => now };
beforeAll(async () => void (storage = await openTestStorage('ghosts')));
beforeEach(async () => {
  await storage.db.query('TRUNCATE ghost, ghost_key_rotation');
  now = Date.now();
  history = new KeyHistory({ db: storage.db, clock });
  ghosts = under('gateway.eth');
});
afterAll(() => storage.close());

function under(root: string): GhostService {
  const aliases = new AliasNames({ rootName: root as EnsName, codecs: [emailCodec] });
  const deliveryService = `ds.${root}` as EnsName;
  const formatAddress = (foreign: ForeignAddress) => foreign.replace('mailto:', '');
  const parts = { crypto, clock, db: storage.db, store: new GhostStore(storage.sealer), aliases, history, keys };
  return new GhostService({ ...parts, deliveryService, formatAddress, profileBelievedSeconds: BELIEVED_SECONDS });
}

const carol = (service = ghosts) => service.ofForeign(CAROL);

describe('a ghost', () => {
  it('is the same person for every spelling of the address', () => {
    expect(ghosts.ofForeign('mailto:Carol@EXAMPLE.org' as ForeignAddress)).toBe(carol());
    expect(() => ghosts.ofForeign('mailto:nobody' as ForeignAddress)).toThrow(InvalidForeignAddressError);
  });

  it('keeps address and keys below another root name', async () => {
    const elsewhere = under('other.eth');
    const moved = carol(elsewhere);
    expect(moved.name).toBe('carol._at.example.org.email.other.eth');
    expect(moved.address).toBe(carol().address);
    expect((await elsewhere.currentKeys(moved)).keys).toEqual((await ghosts.currentKeys(carol())).keys);
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

  it('is written down once when strangers look it up, and one that is known uses up nothing of what they may', async () => {
    const remember = jest.spyOn(GhostStore.prototype, 'remember');
    for (let times = 0; times < 605; times += 1) await ghosts.find(carol().name);
    expect(remember).toHaveBeenCalledTimes(1);
    const dora = ghosts.ofForeign('mailto:dora@example.org' as ForeignAddress);
    await ghosts.find(dora.name);
    expect(remember).toHaveBeenCalledTimes(2);
    expect(await ghosts.byAddress(dora.address)).toBe(dora);
    remember.mockRestore();
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
});

describe('keys that are rotated', () => {
  const published = async () => {
    const record = parseRecord((await ghosts.find(carol().name))!.texts[USER_PROFILE_RECORD]!);
    return parseUserProfile(record.kind === 'data' && record.json);
  };
  const dm3Keys = (...versions: number[]) => versions.map((version) => keys.dm3(CAROL, version));
  /** Everything that was, a while longer ago. */
  const pass = (ms: number) => void (now += ms);
  const accepted = () => new Date(now);

  it('are published at once, signed by the address that stays', async () => {
    const { address } = carol();
    const before = await published();
    await history.rotate(null);
    pass(SECOND);
    const { signed, keys: publicKeys } = await published();
    expect(publicKeys.signing).toEqual(new Uint8Array(keys.dm3(CAROL, 2).signing.publicKey));
    expect(publicKeys).not.toEqual(before.keys);
    expect(carol().address).toBe(address);
    expect(isSignedBy(crypto, signed!, address)).toBe(true);
    expect(await ghosts.currentKeys(carol())).toMatchObject({ version: 2, keys: keys.dm3(CAROL, 2) });
  });

  it('open what was encrypted for them as long as anybody may believe in them and try again', async () => {
    await history.rotate(null);
    pass(BELIEVED_SECONDS * SECOND + 7 * DAY - 60 * SECOND);
    expect(await ghosts.openingKeys(carol(), accepted())).toEqual({ valid: dm3Keys(2, 1), replaced: [] });
    pass(2 * 60 * SECOND);
    expect(await ghosts.openingKeys(carol(), accepted())).toEqual({ valid: dm3Keys(2), replaced: dm3Keys(1) });
  });

  it('open for ever what was accepted in their time, however long it waits', async () => {
    const acceptedAt = accepted();
    await history.rotate(null);
    pass(400 * DAY);
    expect(await ghosts.openingKeys(carol(), acceptedAt)).toEqual({ valid: dm3Keys(2, 1), replaced: [] });
  });

  it('open what another process has published this very moment', async () => {
    await ghosts.openingKeys(carol(), accepted());
    await new KeyHistory({ db: storage.db, clock }).rotate(null);
    expect((await ghosts.openingKeys(carol(), accepted())).valid).toEqual(dm3Keys(2, 1));
  });

  it('are new to others until their answers and caches have run out', async () => {
    expect(await ghosts.isNewlyKeyed(carol())).toBe(false);
    await history.rotate(carol().address);
    expect(await ghosts.isNewlyKeyed(carol())).toBe(true);
    expect(await ghosts.isNewlyKeyed(ghosts.ofForeign('mailto:dave@example.org' as ForeignAddress))).toBe(false);
    pass((BELIEVED_SECONDS + 60) * SECOND);
    expect(await ghosts.isNewlyKeyed(carol())).toBe(false);
  });
});
