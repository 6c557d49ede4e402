import { expect, it } from '@jest/globals';
import { moment, size } from './words.js';

it.each([
  [0, '0 bytes'],
  [999, '999 bytes'],
  [1_000, '1.0 KB'],
  [1_234_567, '1.2 MB'],
  [3_000_000_000, '3.0 GB'],
  [4_000_000_000_000, '4000.0 GB'],
])('says %d as %s', (bytes, words) => {
  expect(size(bytes)).toBe(words);
});

it('says a moment to the minute', () => {
  expect(moment(Date.UTC(2026, 8, 21, 12, 0, 59))).toBe('2026-09-21 12:00 UTC');
});
