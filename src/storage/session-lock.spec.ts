import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { eventually } from '../../test/support/eventually.js';
import { openTestStorage, type TestStorage } from '../../test/support/storage.js';
import { SessionLock } from './session-lock.js';

let storage: TestStorage;
let other: TestStorage;
const locks: SessionLock[] = [];
beforeAll(async () => {
  storage = await openTestStorage('lock');
  other = await openTestStorage('lock');
});
afterEach(async () => void (await Promise.all(locks.splice(0).map((lock) => lock.release()))));
afterAll(async () => {
  await storage.close();
  await other.close();
});

function lockNamed(name: string, { db } = storage): SessionLock {
  const lock = new SessionLock(db, name);
  locks.push(lock);
  return lock;
}
const never = (): void => {
  throw new Error('It was not lost.');
};

/** Ends the sessions that hold locks, as a server that restarts does. */
const cutHolders = () =>
  storage.db.query(`SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database
    WHERE locktype = 'advisory' AND d.datname = current_database() AND pid <> pg_backend_pid()`);

it('has one holder until he lets go', async () => {
  const [first, second] = [lockNamed('a'), lockNamed('a')];
  expect(await first.tryAcquire(never)).toBe(true);
  expect(await second.tryAcquire(never)).toBe(false);
  await first.release();
  expect(await second.tryAcquire(never)).toBe(true);
});

it('has nothing to do with others, nor with those of other schemas', async () => {
  expect(await lockNamed('b').tryAcquire(never)).toBe(true);
  expect(await lockNamed('c').tryAcquire(never)).toBe(true);
  expect(await lockNamed('b', other).tryAcquire(never)).toBe(true);
});

it('tells its holder when its connection is lost, and is to be had again', async () => {
  let lost = 0;
  const lock = lockNamed('d');
  await lock.tryAcquire(() => (lost += 1));
  await cutHolders();
  await eventually('the news', async () => lost === 1);
  expect(await lockNamed('d').tryAcquire(never)).toBe(true);
  await lock.release(); // there is nothing left to release
});

it('can be released twice, or without being held', async () => {
  const lock = lockNamed('e');
  await lock.release();
  await lock.tryAcquire(never);
  await lock.release();
  await lock.release();
});
