import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { MalformedEncodingError } from './errors.js';
import { fromUtf8, toUtf8, utf8Length } from './utf8.js';

describe('UTF-8', () => {
  it('round-trips any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(fromUtf8(toUtf8(text))).toBe(text);
        expect(utf8Length(text)).toBe(toUtf8(text).length);
      }),
    );
  });

  it('keeps a byte order mark', () => {
    expect(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa');
  });

  it.each([
    ['a stray continuation byte', [0x80]],
    ['a cut sequence', [0xe2, 0x82]],
    ['an overlong form', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
  ])('refuses %s', (_, bytes) => {
    expect(() => fromUtf8(Uint8Array.from(bytes))).toThrow(MalformedEncodingError);
  });
});
