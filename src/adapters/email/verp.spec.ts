import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import { bounceAddress, readBounceToken } from './verp.js';

const SECRET = new Uint8Array(32).fill(7);
const DAY = 86_400_000;
const NOW = 20_000 * DAY;
const ID = 'ab'.repeat(32);
const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));

const tokenOf = (address: string) => /^b\+(.+)@mail\.test$/.exec(address)![1]!;
const make = (at = NOW, secret = SECRET) => tokenOf(bounceAddress(secret, { id: ID, domain: 'mail.test', at }));
const read = (token: string, at = NOW, domain = 'mail.test') => readBounceToken(SECRET, { token, domain, at });

describe('bounce addresses', () => {
  it('bring back the id, in either case, within the length of a local part', () => {
    fc.assert(
      fc.property(hex, fc.integer({ min: 0, max: 4e12 }), (id, at) => {
        const address = bounceAddress(SECRET, { id, domain: 'mail.test', at });
        expect(address.indexOf('@')).toBeLessThanOrEqual(64);
        expect(read(tokenOf(address), at)).toBe(id);
        expect(read(tokenOf(address).toUpperCase(), at)).toBe(id);
      }),
    );
  });

  it('are good for ten days, and for authors whose clock is a day ahead', () => {
    expect(read(make(), NOW + 10 * DAY)).toBe(ID);
    expect(read(make(), NOW - DAY)).toBe(ID);
    expect(read(make(), NOW + 11 * DAY)).toBeNull();
    expect(read(make(), NOW - 2 * DAY)).toBeNull();
    expect(read(make(), NOW + 100 * DAY)).toBeNull();
  });

  it('are refused with another key or domain', () => {
    expect(read(make(NOW, new Uint8Array(32)))).toBeNull();
    expect(read(make(), NOW, 'other.test')).toBeNull();
  });

  it('are refused when any letter differs', () => {
    const token = make();
    fc.assert(
      fc.property(
        fc.nat(token.length - 1),
        fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz234567189-='),
        (at, letter) => {
          fc.pre(token[at] !== letter);
          expect(read(token.slice(0, at) + letter + token.slice(at + 1))).toBeNull();
        },
      ),
    );
  });

  it('never throw on what others write', () => {
    fc.assert(fc.property(anyText(), (token) => read(token) === null));
  });
});
