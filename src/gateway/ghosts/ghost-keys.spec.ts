import { beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { ForeignAddress } from '../../common/ids.js';
import { createNobleProvider } from '../../protocol/crypto/noble.js';
import { createSodiumProvider } from '../../protocol/crypto/sodium.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { toHex } from '../../protocol/encoding/hex.js';
import { GhostKeys } from './ghost-keys.js';

const CAROL = 'mailto:carol@example.org' as ForeignAddress;
const DAVE = 'mailto:dave@example.org' as ForeignAddress;
const SECRET = new Uint8Array(32).fill(7);

let crypto: CryptoProvider;
let keys: GhostKeys;
beforeAll(async () => {
  crypto = await createSodiumProvider();
  keys = new GhostKeys(crypto, SECRET);
});

describe('GhostKeys', () => {
  // Made once and written down: whoever changes them takes every ghost its identity.
  it('never change', () => {
    expect(keys.address(CAROL)).toBe('0x68349a0c0ad150efbd91d128df0fa975c666f46e');
    expect(toHex(keys.dm3(CAROL, 1).encryption.publicKey)).toBe(
      '0x76ccc024f42cf8dbe19adebaddba766082fc95e606a54967feb6d12b1f822965',
    );
    expect(toHex(keys.dm3(CAROL, 2).signing.publicKey)).toBe(
      '0x1e5c63588d2ab875c400e13297c2054840ef849216fa4f739522bf52af40e374',
    );
  });

  it('follow from the root secret and the address alone, with either provider', () => {
    const noble = new GhostKeys(createNobleProvider(), SECRET);
    expect(noble.address(CAROL)).toBe(keys.address(CAROL));
    expect(noble.wallet(CAROL)).toEqual(keys.wallet(CAROL));
    expect(toHex(noble.dm3(CAROL, 3).signing.privateKey)).toBe(toHex(keys.dm3(CAROL, 3).signing.privateKey));
  });

  it('differ for each address, secret, version and purpose', () => {
    const other = new GhostKeys(crypto, new Uint8Array(32).fill(8));
    const all = [
      keys.wallet(CAROL),
      keys.wallet(DAVE),
      other.wallet(CAROL),
      keys.dm3(CAROL, 1).storageKey,
      keys.dm3(CAROL, 2).storageKey,
      keys.dm3(DAVE, 1).storageKey,
      other.dm3(CAROL, 1).storageKey,
    ];
    expect(new Set(all.map(toHex)).size).toBe(all.length);
  });

  it('are not confused by addresses that look like parts of a derivation', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.integer({ min: 1, max: 20 }), (one, other, version) => {
        fc.pre(one !== other);
        const [a, b] = [one as ForeignAddress, other as ForeignAddress];
        expect(keys.wallet(a)).not.toEqual(keys.wallet(b));
        expect(keys.dm3(a, version).storageKey).not.toEqual(keys.dm3(b, version).storageKey);
      }),
    );
    const tricky = [keys.dm3('2 x' as ForeignAddress, 1), keys.dm3('x' as ForeignAddress, 12)];
    expect(tricky[0]!.storageKey).not.toEqual(tricky[1]!.storageKey);
  });
});
