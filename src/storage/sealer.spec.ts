import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createNobleProvider } from '../protocol/crypto/noble.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { SealBrokenError, StorageKeyMissingError } from './errors.js';
import { deriveKey, Sealer, type StorageKey, type StorageKeys } from './sealer.js';

const ROOT_SECRET = new Uint8Array(32).fill(1);
const KEY: StorageKey = { id: 1, key: new Uint8Array(32).fill(2) };
const NEWER: StorageKey = { id: 2, key: new Uint8Array(32).fill(3) };
const PLACE = { table: 'message', column: 'sealed_payload', row: '1' };
const HELLO = Buffer.from('Hello');

const bytes = fc.uint8Array({ maxLength: 200 });
const place = fc.record({ table: fc.string(), column: fc.string(), row: fc.string() });
const parts = fc.array(fc.oneof(fc.string(), fc.uint8Array({ maxLength: 8 })), { maxLength: 4 });

describe.each(['sodium', 'noble'] as const)('Sealer with %s', (name) => {
  let crypto: CryptoProvider;
  let sealer: Sealer;
  beforeAll(async () => {
    crypto = name === 'sodium' ? await createSodiumProvider() : createNobleProvider();
    sealer = sealerWith(KEY);
  });

  const sealerWith = (...storageKeys: [StorageKey, ...StorageKey[]]) =>
    new Sealer(crypto, randomBytes, { storageKeys, rootSecret: ROOT_SECRET });

  const sealerFrom = (rereadStorageKeys: () => StorageKeys) =>
    new Sealer(crypto, randomBytes, { storageKeys: [KEY], rootSecret: ROOT_SECRET, rereadStorageKeys });

  it('opens what it sealed, at the same place only', () => {
    fc.assert(
      fc.property(bytes, place, place, (plain, here, there) => {
        const sealed = sealer.seal(here, plain);
        expect(Buffer.from(sealer.open(here, sealed)).equals(plain)).toBe(true);
        if (JSON.stringify(here) === JSON.stringify(there)) return;
        expect(() => sealer.open(there, sealed)).toThrow(SealBrokenError);
      }),
    );
  });

  it('tells table, column and row apart where they only read alike', () => {
    const sealed = sealer.seal({ table: 'a', column: 'bc', row: 'd' }, HELLO);
    expect(() => sealer.open({ table: 'ab', column: 'c', row: 'd' }, sealed)).toThrow(SealBrokenError);
    expect(() => sealer.open({ table: 'a', column: 'b', row: 'cd' }, sealed)).toThrow(SealBrokenError);
  });

  it('seals the same bytes differently each time, and shows nothing of them', () => {
    const [one, other] = [sealer.seal(PLACE, HELLO), sealer.seal(PLACE, HELLO)];
    expect(one.equals(other)).toBe(false);
    expect(one.includes(HELLO)).toBe(false);
    expect([...one.subarray(0, 2)]).toEqual([1, KEY.id]);
  });

  it('keeps values that JSON can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const sealed = sealer.sealJson(PLACE, value);
        expect(sealer.openJson(PLACE, sealed)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('notices every changed byte', () => {
    const sealed = sealer.seal(PLACE, HELLO);
    for (const index of sealed.keys()) {
      const changed = Buffer.from(sealed);
      changed[index]! ^= 1;
      const complaint = index === 1 ? StorageKeyMissingError : SealBrokenError; // the octet that names the key
      expect(() => sealer.open(PLACE, changed)).toThrow(complaint);
    }
    expect(() => sealer.open(PLACE, sealed.subarray(0, -1))).toThrow(SealBrokenError);
    expect(() => sealer.open(PLACE, Buffer.alloc(0))).toThrow('not in a form this version knows');
  });

  it('opens old values after the key was changed, and seals with the first key', () => {
    const old = sealer.seal(PLACE, HELLO);
    const rotated = sealerWith(NEWER, KEY);
    expect(Buffer.from(rotated.open(PLACE, old)).toString()).toBe('Hello');
    expect(rotated.seal(PLACE, HELLO)[1]).toBe(NEWER.id);
    expect(() => sealer.open(PLACE, rotated.seal(PLACE, HELLO))).toThrow('storage key 2 is not among');
    const replaced = sealerWith({ id: KEY.id, key: NEWER.key });
    expect(() => replaced.open(PLACE, old)).toThrow('belong to another row or key');
  });

  it('takes up keys that were changed while it works, at the latest when it meets one', () => {
    const old = sealer.seal(PLACE, HELLO);
    const byOthers = sealerWith(NEWER, KEY).seal(PLACE, HELLO);
    let file: StorageKeys = [KEY];
    const running = sealerFrom(() => file);
    expect(() => running.open(PLACE, byOthers)).toThrow('storage key 2 is not among');
    file = [NEWER, KEY];
    expect(running.activeKeyId).toBe(KEY.id);
    expect(Buffer.from(running.open(PLACE, byOthers))).toEqual(HELLO);
    expect(running.seal(PLACE, HELLO)[1]).toBe(NEWER.id);
    expect(Buffer.from(running.open(PLACE, old))).toEqual(HELLO);
  });

  it('goes on with the keys it has while the others cannot be read', () => {
    const running = sealerFrom(() => {
      throw new Error('no such file');
    });
    expect(() => running.refreshKeys()).toThrow('no such file');
    expect(Buffer.from(running.open(PLACE, running.seal(PLACE, HELLO)))).toEqual(HELLO);
  });

  it('calls a key that is not here a passing lack, since it may be brought', () => {
    expect(new StorageKeyMissingError({ id: 2 }).retryable).toBe(true);
    const open = () => sealer.open(PLACE, sealerWith(NEWER).seal(PLACE, HELLO));
    expect(open).toThrow(StorageKeyMissingError);
  });

  it('hashes equal parts alike, and others not', () => {
    fc.assert(
      fc.property(fc.string(), parts, fc.string(), parts, (domain, list, otherDomain, otherList) => {
        const hash = sealer.keyedHash(domain, ...list);
        expect(hash).toHaveLength(32);
        expect(
          sealerWith(NEWER)
            .keyedHash(domain, ...list)
            .equals(hash),
        ).toBe(true);
        const same = asText([domain, ...list]) === asText([otherDomain, ...otherList]);
        expect(sealer.keyedHash(otherDomain, ...otherList).equals(hash)).toBe(same);
      }),
    );
  });

  it('keeps domains and lists of parts apart', () => {
    const hashes = [
      sealer.keyedHash('ab', 'c'),
      sealer.keyedHash('a', 'bc'),
      sealer.keyedHash('a', 'b', 'c'),
      sealer.keyedHash('abc'),
      sealer.keyedHash('abc', ''),
    ];
    expect(new Set(hashes.map((hash) => hash.toString('hex'))).size).toBe(hashes.length);
  });
});

it('opens with either provider what the other sealed', async () => {
  const secrets = { storageKeys: [KEY] as const, rootSecret: ROOT_SECRET };
  const sodium = new Sealer(await createSodiumProvider(), randomBytes, secrets);
  const noble = new Sealer(createNobleProvider(), randomBytes, secrets);
  expect(noble.open(PLACE, sodium.seal(PLACE, HELLO))).toEqual(new Uint8Array(HELLO));
  expect(Buffer.from(sodium.open(PLACE, noble.seal(PLACE, HELLO)))).toEqual(HELLO);
  expect(noble.keyedHash('a', 'b')).toEqual(sodium.keyedHash('a', 'b'));
});

it('derives another key for each purpose and secret, always the same', () => {
  const key = deriveKey(ROOT_SECRET, 'one');
  expect(key).toHaveLength(32);
  expect(deriveKey(ROOT_SECRET, 'one')).toEqual(key);
  expect(deriveKey(ROOT_SECRET, 'other')).not.toEqual(key);
  expect(deriveKey(KEY.key, 'one')).not.toEqual(key);
});

/** Text and bytes that are equal hash alike. */
function asText(list: readonly (string | Uint8Array)[]): string {
  return JSON.stringify(list.map((part) => Buffer.from(part as string).toString('hex')));
}
