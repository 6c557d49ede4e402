import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { enqueue, outboxEntry, startWorker, until, untilEmpty } from '../../test/support/outbox.js';
import { openTestStorage, type TestStorage } from '../../test/support/storage.js';
import type { Database, Queryable, Tx } from '../storage/database.js';
import { claimDue } from './claim.js';
import { buryItem, finishItem } from './leases.js';
import type { OutboxWorker } from './outbox-worker.js';
import { Outbox } from './outbox.js';

const caps = { byNetwork: {}, others: 8 };

let storage: TestStorage;
let db: Database;
let outbox: Outbox;
let workers: OutboxWorker[] = [];
beforeAll(async () => {
  storage = await openTestStorage('idle');
  db = storage.db;
  outbox = new Outbox(db.schema);
});
beforeEach(async () => void (await db.query('TRUNCATE outbox_head, outbox_lease, outbox_item, outbox_dead')));
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  workers = [];
});
afterAll(() => storage.close());

const claim = async () => (await claimDue(db, { limit: 9, leaseSeconds: 30, caps, held: [] })).items;
const purge = (where: Queryable = db, limit = 100) => outbox.purgeIdle(where, 0, limit);
const pairs = async () =>
  (await db.query<{ name: string }>(`SELECT encode(pair_key, 'escape') AS name FROM outbox_head ORDER BY 1`)).map(
    ({ name }) => name,
  );
/** A pair whose one message is delivered. */
async function idlePair(pair: string): Promise<void> {
  await enqueue(db, outboxEntry({ pair }));
  for (const item of await claim()) await db.transaction((tx) => finishItem(tx, item));
}
/** A transaction that stays open until it is let go; it is rolled back if that is what it is told. */
function openTransaction(work: (tx: Tx) => Promise<unknown>) {
  let end!: (outcome: 'commit' | 'rollback') => void;
  const told = new Promise<'commit' | 'rollback'>((resolve) => (end = resolve));
  let begin!: () => void;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const rolledBack = new Error('rolled back');
  const done = db
    .transaction(async (tx) => {
      await work(tx);
      begin();
      if ((await told) === 'rollback') throw rolledBack;
    })
    .catch((error: unknown) => {
      if (error !== rolledBack) throw error;
    });
  return { begun, end: (outcome: 'commit' | 'rollback') => (end(outcome), done) };
}
const someoneWaits = async () =>
  (
    await db.query(
      `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO outbox_head%'`,
    )
  ).length > 0;

describe('The head of a pair', () => {
  it('goes once the pair has had nothing for long, the longest first', async () => {
    for (const pair of ['a', 'b', 'c']) await idlePair(pair);
    await enqueue(db, outboxEntry({ pair: 'b' }));
    expect(await outbox.purgeIdle(db, 1, 100)).toBe(0);
    await db.query(`UPDATE outbox_head SET idle_at = now() - interval '8 days' WHERE pair_key <> 'a'`);
    expect(await outbox.purgeIdle(db, 7, 100)).toBe(1);
    expect(await pairs()).toEqual(['a', 'b']);
  });

  it('goes in steps', async () => {
    for (const pair of ['a', 'b', 'c']) await idlePair(pair);
    expect([await purge(db, 2), await pairs(), await purge(db, 2)]).toEqual([2, ['c'], 1]);
  });

  it('counts from when the last message left, not from when it came', async () => {
    await idlePair('a');
    await db.query(`UPDATE outbox_head SET idle_at = now() - interval '8 days'`);
    await idlePair('a');
    expect(await outbox.purgeIdle(db, 7, 100)).toBe(0);
  });

  it('stays while a dead letter refers to it, which can be retried', async () => {
    const ref = await enqueue(db);
    const [item] = await claim();
    await db.transaction((tx) => buryItem(tx, item!, { code: 'REFUSED' }));
    expect(await purge()).toBe(0);
    await db.transaction((tx) => outbox.retry(tx, ref));
    expect(await purge()).toBe(0);
    expect(await claim()).toMatchObject([{ ref }]);
  });

  it('stays for who is just enqueueing', async () => {
    await idlePair('a');
    const entry = outboxEntry({ pair: 'a' });
    const enqueueing = openTransaction((tx) => outbox.enqueue(tx, entry));
    await enqueueing.begun;
    expect(await purge()).toBe(0);
    await enqueueing.end('commit');
    expect([await purge(), (await claim()).map(({ ref }) => ref)]).toEqual([0, [entry.ref]]);
  });

  it.each(['commit', 'rollback'] as const)(
    'that is just going lets nobody enqueue into the void, %s',
    async (outcome) => {
      await idlePair('a');
      const going = openTransaction(purge);
      await going.begun;
      const enqueued = enqueue(db, outboxEntry({ pair: 'a' }));
      await until(someoneWaits, 'somebody who wants the head');
      await going.end(outcome);
      const ref = await enqueued;
      expect(await claim()).toMatchObject([{ ref, seq: outcome === 'commit' ? '1' : '2' }]);
    },
  );
});

it('Purging all the time, nothing is lost or out of order', async () => {
  const enqueued = new Map<string, string[]>();
  const delivered = new Map<string, string[]>();
  const add = (to: Map<string, string[]>, pair: string, ref: string) => to.set(pair, [...(to.get(pair) ?? []), ref]);
  const pairOf = new Map<string, string>();
  for (let index = 0; index < 2; index += 1)
    workers.push(await startWorker({ db, handle: async ({ ref }) => void add(delivered, pairOf.get(ref)!, ref) }));
  let purged = 0;
  const produce = async (pair: string) => {
    for (let index = 0; index < 60; index += 1) {
      const entry = outboxEntry({ pair });
      pairOf.set(entry.ref, pair);
      add(enqueued, pair, entry.ref);
      await enqueue(db, entry);
      const before = purged;
      if (index % 10 === 0) await until(() => purged > before, 'a pair that was purged meanwhile');
    }
  };
  const state = { isRunning: true };
  const purging = (async () => {
    while (state.isRunning) purged += await purge();
  })();
  await Promise.all(['a', 'b', 'c', 'd'].map(produce));
  await untilEmpty(db);
  state.isRunning = false;
  await purging;
  expect(delivered).toEqual(enqueued);
});
