import { expect, it } from '@jest/globals';
import { remembered } from './remembered.js';

it('asks once for all who come within the time, and again after it', async () => {
  let [now, asked] = [0, 0];
  const ask = remembered(
    async () => (asked += 1),
    1_000,
    () => now,
  );
  expect(await Promise.all([ask(), ask()])).toEqual([1, 1]);
  now = 999;
  expect(await ask()).toBe(1);
  now = 1_000;
  expect(await ask()).toBe(2);
});

it('keeps no failure', async () => {
  let asked = 0;
  const ask = remembered(async () => {
    asked += 1;
    if (asked === 1) throw new Error('not now');
    return asked;
  }, 1_000);
  await expect(ask()).rejects.toThrow('not now');
  expect(await ask()).toBe(2);
});
