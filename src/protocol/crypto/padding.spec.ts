import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import { fromUtf8 } from '../encoding/utf8.js';
import { DecryptionError } from './errors.js';
import { paddedLength, padText, unpad } from './padding.js';

describe('padding', () => {
  it.each([
    [0, 2048],
    [2047, 2048],
    [2048, 4096],
    [2049, 4096],
    [4095, 4096],
    [4096, 6144],
  ])('makes %i bytes %i', (length, padded) => {
    expect(paddedLength(length)).toBe(padded);
    expect(padText('x'.repeat(length))).toHaveLength(padded);
  });

  it('round-trips any text in blocks of any size', () => {
    fc.assert(
      fc.property(anyText({ maxLength: 300 }), fc.integer({ min: 1, max: 100 }), (text, block) => {
        const padded = padText(text, block);
        expect(padded.length % block).toBe(0);
        expect(fromUtf8(unpad(padded, block))).toBe(text);
      }),
    );
  });

  it.each([
    ['nothing', []],
    ['less than a block', [0x80, 0, 0]],
    ['zeros only', [0, 0, 0, 0]],
    ['a marker before the last block', [0x80, 0, 0, 0, 0]],
    ['no marker', [0x80, 1, 2, 3]],
  ])('refuses %s', (_, bytes) => {
    expect(() => unpad(Uint8Array.from(bytes), 4)).toThrow(DecryptionError);
  });
});
