import { expect, it } from '@jest/globals';
import { size } from './words.js';

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
