import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import { MalformedEncodingError } from './errors.js';
import { fromUtf8, toUtf8, utf8Length, withUtf8 } from './utf8.js';

describe('UTF-8', () => {
  it('round-trips any text', () => {
    fc.assert(
      fc.property(anyText(), (text) => {
        expect(fromUtf8(toUtf8(text))).toBe(text);
        expect(utf8Length(text)).toBe(toUtf8(text).length);
      }),
    );
  });

  it('lends the bytes of any text, and of one within another', () => {
    fc.assert(
      fc.property(anyText(), anyText(), (outer, inner) => {
        const seen = withUtf8(outer, (bytes) => {
          const lent = withUtf8(inner, (others) => fromUtf8(others));
          return [fromUtf8(bytes), lent];
        });
        expect(seen).toEqual([outer, inner].map((text) => fromUtf8(toUtf8(text))));
      }),
    );
    const long = 'ü'.repeat(100_000);
    expect(withUtf8(long, fromUtf8)).toBe(long);
  });

  it('lends again after a failure', () => {
    const fail = (): never => {
      throw new Error('no');
    };
    expect(() => withUtf8('a', fail)).toThrow('no');
    expect(withUtf8('b', fromUtf8)).toBe('b');
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
