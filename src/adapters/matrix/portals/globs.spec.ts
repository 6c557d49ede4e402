import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { fitsAny } from './globs.js';

describe('a pattern of ids', () => {
  it.each([
    ['@alice:hs.org', '@alice:hs.org', true],
    ['@alice:hs.org', '@alice:hs.org.evil', false],
    ['@*:hs.org', '@alice:hs.org', true],
    ['@*:hs.org', '@ALICE:HS.org', true],
    ['@*:hs.org', '@alice:hs.org:8448', false],
    ['@*:*.hs.org', '@alice:eu.hs.org', true],
    ['@*:*.hs.org', '@alice:hs.org', false],
    ['@dm3_*_*:hs.org', '@dm3_a_b:hs.org', true],
    ['@a*a:x', '@a:x', false],
    ['*', 'anything', true],
    ['@.:hs.org', '@a:hs.org', false],
  ])('%s and %s: %s', (pattern, id, expected) => {
    expect(fitsAny([pattern], id)).toBe(expected);
  });

  it('is a regular expression of stars', () => {
    const text = (units: string) => fc.string({ unit: fc.constantFrom(...units), maxLength: 12 });
    fc.assert(
      fc.property(text('ab*'), text('ab'), (pattern, id) => {
        expect(fitsAny([pattern], id)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(id));
      }),
      { numRuns: 2_000 },
    );
  });

  it('ends, whatever it is', () => {
    expect(fitsAny([`${'*a'.repeat(5_000)}*b`], 'a'.repeat(200_000))).toBe(false);
  });

  it('fits nothing where there is none', () => {
    expect(fitsAny([], '@alice:hs.org')).toBe(false);
  });
});
