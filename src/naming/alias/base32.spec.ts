import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { decodeBase32, encodeBase32 } from './base32.js';

describe('base32', () => {
  // RFC 4648 §10, in lower case and without padding.
  it.each([
    ['', ''],
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foo', 'mzxw6'],
    ['foob', 'mzxw6yq'],
    ['fooba', 'mzxw6ytb'],
    ['foobar', 'mzxw6ytboi'],
  ])('writes %j as the RFC does', (text, digits) => {
    expect(encodeBase32(Buffer.from(text))).toBe(digits);
    expect(Buffer.from(decodeBase32(digits)!).toString()).toBe(text);
  });

  it.each(['MY', 'my======', 'mz', 'm', 'mzx', 'mzxw6y', 'm1', 'm0', 'my ', 'mý'])('refuses %j', (digits) => {
    expect(decodeBase32(digits)).toBeNull();
  });

  it('gives back all bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(decodeBase32(encodeBase32(bytes))).toEqual(bytes);
      }),
    );
  });
});
