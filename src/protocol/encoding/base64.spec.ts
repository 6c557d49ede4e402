import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { base64Length, fromBase64, toBase64 } from './base64.js';
import { MalformedEncodingError } from './errors.js';

describe('base64', () => {
  it('round-trips any bytes, also those of a view into a larger buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (bytes, offset) => {
        const view = bytes.subarray(Math.min(offset, bytes.length));
        const text = toBase64(view);
        expect(text).toHaveLength(base64Length(view.length));
        expect([...fromBase64(text)]).toEqual([...view]);
      }),
    );
  });

  it.each([
    ['no padding', 'YQ'],
    ['spare bits', 'YR=='],
    ['the URL alphabet', '-_-_'],
    ['white space', 'YWJj\n'],
    ['text after the padding', 'YQ==YQ=='],
    ['other characters', 'YW*j'],
  ])('refuses %s', (_, text) => {
    expect(() => fromBase64(text)).toThrow(MalformedEncodingError);
  });
});
