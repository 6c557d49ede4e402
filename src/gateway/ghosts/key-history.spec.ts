import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EthAddress } from '../../common/ids.js';
import { KeyHistory } from './key-history.js';

const CAROL = `0x${randomBytes(20).toString('hex')}` as EthAddress;
const DAVE = `0x${randomBytes(20).toString('hex')}` as EthAddress;

let storage: TestStorage;
let now = 0;
beforeAll(async () => void (storage = await openTestStorage('key_history')));
beforeEach(() => storage.db.query('TRUNCATE ghost_key_rotation'));
afterAll(() => storage.close());

/** As another process has it. */
const someHistory = () => new KeyHistory({ db: storage.db, clock: { now: () => now } });
const numbers = async (history: KeyHistory, ghost: EthAddress | null, maxAgeMs?: number) =>
  (await history.versionsOf(ghost, maxAgeMs)).map(({ version }) => version);

it('begins with version 1', async () => {
  expect(await someHistory().versionsOf(CAROL)).toEqual([{ version: 1, since: null, replacedAt: null }]);
});

it('gives all ghosts, or one, a version above all before it', async () => {
  const history = someHistory();
  expect(await history.rotate(null)).toBe(2);
  expect(await history.rotate(CAROL)).toBe(3);
  expect(await history.rotate(null)).toBe(4);
  expect(await numbers(history, CAROL)).toEqual([4, 3, 2, 1]);
  expect(await numbers(history, DAVE)).toEqual([4, 2, 1]);
  expect(await numbers(history, null)).toEqual([4, 2, 1]);
});

it('tells when each version came and went', async () => {
  const history = someHistory();
  await history.rotate(null);
  await history.rotate(CAROL);
  const [third, second, first] = await history.versionsOf(CAROL);
  expect([first!.since, third.replacedAt]).toEqual([null, null]);
  expect(first!.replacedAt).toEqual(second!.since);
  expect(second!.replacedAt).toEqual(third.since);
  expect(Math.abs(Date.now() - third.since!.getTime())).toBeLessThan(60_000);
});

it('sees what others did: at once, or as late as it may', async () => {
  const [history, other] = [someHistory(), someHistory()];
  expect(await numbers(history, CAROL)).toEqual([1]);
  await other.rotate(null);
  expect(await numbers(history, CAROL, 1_000)).toEqual([1]);
  now += 1_000;
  expect(await numbers(history, CAROL, 1_000)).toEqual([2, 1]);
  await other.rotate(null);
  expect(await numbers(history, CAROL)).toEqual([3, 2, 1]);
});

it('keeps apart what is rotated and read at the same time', async () => {
  const history = someHistory();
  const rotated = await Promise.all(Array.from({ length: 10 }, () => someHistory().rotate(null)));
  expect(rotated.sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  const read = await Promise.all(Array.from({ length: 5 }, () => numbers(history, DAVE)));
  for (const versions of read) expect(versions).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
});
