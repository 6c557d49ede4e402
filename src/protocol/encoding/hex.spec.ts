import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { MalformedEncodingError } from './errors.js';
import { fromHex, parseHash, toHex } from './hex.js';

const DIGITS = 'ab'.repeat(32);

describe('hex', () => {
  it('round-trips any bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => expect([...fromHex(toHex(bytes))]).toEqual([...bytes])));
  });

  it('reads either case and writes the lower one', () => {
    expect(toHex(fromHex('0xABcd'))).toBe('0xabcd');
  });

  it.each(['abcd', '0xabc', '0xzz', '0x ab', ''])('refuses %j', (text) => {
    expect(() => fromHex(text)).toThrow(MalformedEncodingError);
  });
});

describe('parseHash', () => {
  it.each([`0x${DIGITS}`, DIGITS, `0x${DIGITS.toUpperCase()}`])('reads %s', (text) => {
    expect(parseHash(text)).toBe(`0x${DIGITS}`);
  });

  it.each(['', '0x', `0x${DIGITS}00`, `0x${'z'.repeat(64)}`])('finds no hash in %j', (text) => {
    expect(parseHash(text)).toBeNull();
  });
});
