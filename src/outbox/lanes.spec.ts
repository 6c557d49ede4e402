import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestSchema, type TestSchema } from '../../test/support/database.js';
import { enqueue, outboxEntry, startWorker, until, untilEmpty } from '../../test/support/outbox.js';
import { GatewayError } from '../common/errors.js';
import { Database } from '../storage/database.js';
import { StorageUnavailableError } from '../storage/errors.js';
import { claimDue, claimExpired } from './claim.js';
import {
  laneFailed,
  pauseLane,
  pauseNetwork,
  pausedNetworks,
  purgeLanes,
  resumeLane,
  resumeNetwork,
  troubledLanes,
  unparkFree,
} from './lanes.js';
import { finishItem, type LeasedItem } from './leases.js';
import type { Claim } from './item-handler.js';
import type { OutboxWorker } from './outbox-worker.js';

class OutOfReachError extends GatewayError {
  constructor() {
    const message = 'Nobody answers there.';
    super({ code: 'OUT_OF_REACH', kind: 'unavailable', message, retryable: true, outage: true });
  }
}

const lane = (name: string, network = 'email') => ({ key: Buffer.from(name), network, sealedName: Buffer.from(name) });
const HARBOUR = lane('harbour');
const caps = { byNetwork: { matrix: 1 }, others: 2 };

let schema: TestSchema;
let db: Database;
let workers: OutboxWorker[] = [];
beforeAll(async () => {
  schema = await createTestSchema('lanes');
  db = new Database(schema.options);
  await db.open();
});
beforeEach(() =>
  db.query('TRUNCATE outbox_head, outbox_lease, outbox_item, outbox_dead, outbox_lane, outbox_pause, seen'),
);
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  workers = [];
});
afterAll(async () => {
  await db.close();
  await schema.drop();
});

const start: typeof startWorker = async (options) => {
  const worker = await startWorker({ caps, ...options });
  workers.push(worker);
  return worker;
};
const claim = async (limit = 10, held: string[] = []) =>
  (await claimDue(db, { limit, leaseSeconds: 30, caps, held })).items;
const finish = (item: LeasedItem) => db.transaction((tx) => finishItem(tx, item));
/** Puts so many pairs into a lane. */
const fill = async (count: number, { key, network } = HARBOUR, more: Parameters<typeof outboxEntry>[0] = {}) => {
  const refs: string[] = [];
  for (let index = 0; index < count; index += 1)
    refs.push(await enqueue(db, outboxEntry({ pair: randomUUID(), destinationKey: key, network, ...more })));
  return refs;
};
const parked = async () => {
  const [row] = await db.query<{ count: number }>('SELECT count(*)::int AS count FROM outbox_head WHERE parked');
  return row!.count;
};
const fail = (seconds: number) => db.transaction((tx) => laneFailed(tx, HARBOUR, 'OUT_OF_REACH', () => seconds));

describe('The cap of a destination', () => {
  it('is kept by all claims together; what finds no place is parked and let in when one is free, in order', async () => {
    const refs = await fill(5);
    const first = await claim();
    expect(first.map(({ ref }) => ref)).toEqual(refs.slice(0, 2));
    expect([await parked(), await claim()]).toEqual([3, []]);
    await finish(first[1]!);
    expect(await parked()).toBe(2);
    const second = await claim();
    expect(second.map(({ ref }) => ref)).toEqual([refs[2]]);
    await finish(first[0]!);
    await finish(second[0]!);
    expect((await claim()).map(({ ref }) => ref)).toEqual(refs.slice(3));
  });

  it('differs by network, and counts each destination by itself', async () => {
    await fill(3, lane('hs.org', 'matrix'));
    await fill(3);
    await fill(3, lane('elsewhere'));
    const claimed = await claim();
    const counts = ['hs.org', 'harbour', 'elsewhere'].map(
      (name) => claimed.filter(({ destination }) => destination === Buffer.from(name).toString('hex')).length,
    );
    expect(counts).toEqual([1, 2, 2]);
  });

  it('holds while many workers claim at once', async () => {
    await fill(60);
    await fill(20, lane('elsewhere'));
    const underWay = new Map<string, number>();
    const most = new Map<string, number>();
    const destinationOf = async ({ ref }: Claim) => {
      const sql = `SELECT encode(destination_key, 'escape') AS name FROM outbox_head h
        JOIN outbox_item i ON i.head_id = h.id WHERE i.ref = $1`;
      return (await db.query<{ name: string }>(sql, [ref]))[0]!.name;
    };
    const handle = async (item: Claim) => {
      const name = await destinationOf(item);
      const count = (underWay.get(name) ?? 0) + 1;
      underWay.set(name, count);
      most.set(name, Math.max(count, most.get(name) ?? 0));
      await new Promise((resolve) => setTimeout(resolve, 5));
      underWay.set(name, underWay.get(name)! - 1);
    };
    await Promise.all([start({ db, handle }), start({ db, handle }), start({ db, handle })]);
    await untilEmpty(db);
    expect(Object.fromEntries(most)).toEqual({ harbour: 2, elsewhere: 2 });
  });

  it('counts those whose worker has died until somebody takes over', async () => {
    const refs = await fill(3);
    const [dead] = await claim(1);
    await db.query(`UPDATE outbox_lease SET until = now() - interval '1 second' WHERE head_id = $1`, [dead!.headId]);
    expect((await claim()).map(({ ref }) => ref)).toEqual(refs.slice(0, 2));
    await expect(finish(dead!)).rejects.toMatchObject({ code: 'LEASE_LOST' });
  });

  it('lets parked pairs in even if nobody was there to do it when places became free', async () => {
    const [, , third] = await fill(3);
    await claim();
    await db.query('DELETE FROM outbox_lease');
    await db.query('UPDATE outbox_head SET next_at = NULL WHERE NOT parked');
    expect([await claim(), await unparkFree(db, caps), await unparkFree(db, caps)]).toEqual([[], 1, 0]);
    expect((await claim()).map(({ ref }) => ref)).toEqual([third]);
  });
});

describe('Priorities', () => {
  it('let people go before bulk mail that has waited longer, but not for ever', async () => {
    const [bulk] = await fill(1, lane('a'), { isBulk: true });
    const [person] = await fill(1, lane('b'));
    expect((await claim(1)).map(({ ref }) => ref)).toEqual([person]);
    const [later] = await fill(1, lane('c'));
    await db.query(`UPDATE outbox_head SET next_at = next_at - interval '6 minutes' WHERE priority = 1`);
    expect((await claim(1)).map(({ ref }) => ref)).toEqual([bulk]);
    expect((await claim(1)).map(({ ref }) => ref)).toEqual([later]);
  });

  it('lift a pair as soon as a person writes in it, and end with its last message', async () => {
    const priority = async () =>
      (await db.query<{ priority: number }>('SELECT priority FROM outbox_head'))[0]!.priority;
    await enqueue(db, outboxEntry({ isBulk: true }));
    expect(await priority()).toBe(1);
    await enqueue(db, outboxEntry());
    expect(await priority()).toBe(0);
    for (let left = 2; left > 0; left -= 1) await finish((await claim(1))[0]!);
    await enqueue(db, outboxEntry({ isBulk: true }));
    expect(await priority()).toBe(1);
  });
});

describe('A pause', () => {
  it('of a destination keeps what goes there, and nothing else; resumed, it goes on', async () => {
    await pauseLane(db, HARBOUR);
    const [kept] = await fill(1);
    const [other] = await fill(1, lane('elsewhere'));
    expect((await claim()).map(({ ref }) => ref)).toEqual([other]);
    expect(await unparkFree(db, caps)).toBe(0);
    expect(await troubledLanes(db)).toMatchObject([{ network: 'email', pausedAt: expect.any(Date), parked: 1 }]);
    const resume = () => db.transaction((tx) => resumeLane(tx, HARBOUR.key));
    expect([await resume(), await parked(), await resume()]).toEqual([true, 0, false]);
    expect((await claim()).map(({ ref }) => ref)).toEqual([kept]);
  });

  it('of a network keeps all that goes there; what is under way is finished', async () => {
    await fill(1);
    const [underWay] = await claim();
    expect([await pauseNetwork(db, 'email'), await pauseNetwork(db, 'email')]).toEqual([true, false]);
    const [kept] = await fill(1);
    const [other] = await fill(1, lane('hs.org', 'matrix'));
    expect((await claim()).map(({ ref }) => ref)).toEqual([other]);
    await finish(underWay!);
    expect(await pausedNetworks(db)).toMatchObject([{ network: 'email' }]);
    expect(await db.transaction((tx) => resumeNetwork(tx, 'email'))).toBe(true);
    expect((await claim()).map(({ ref }) => ref)).toEqual([kept]);
  });

  it('survives a success of what was under way', async () => {
    await fill(1);
    const [underWay] = await claim();
    await pauseLane(db, HARBOUR);
    await finish(underWay!);
    await fill(1);
    expect(await claim()).toEqual([]);
  });
});

describe('A destination out of reach', () => {
  it('rests from the third time in a row, is then tried with one message, and is well after a success', async () => {
    await fail(60);
    await fail(60);
    await fill(4);
    const [one, two] = await claim();
    expect(two).toBeDefined();
    await fail(60);
    expect(await claim()).toEqual([]);
    expect(await troubledLanes(db)).toMatchObject([{ failures: 3, code: 'OUT_OF_REACH', retryAt: expect.any(Date) }]);
    await db.query('UPDATE outbox_lane SET retry_at = now()');
    await db.query(
      `WITH lease AS (DELETE FROM outbox_lease RETURNING head_id)
       UPDATE outbox_head SET next_at = now() + interval '1 hour' FROM lease WHERE id = head_id`,
    );
    await unparkFree(db, caps);
    const probes = await claim();
    expect(probes).toHaveLength(1);
    await finish(probes[0]!);
    expect(await troubledLanes(db)).toEqual([]);
    await unparkFree(db, caps);
    expect(await claim()).toHaveLength(1);
    expect(one).toBeDefined();
  });

  it('keeps everybody’s messages but the one that tries from being tried, and they all go when it is back', async () => {
    let isUp = false;
    const tried: string[] = [];
    await fill(20);
    await start({
      db,
      policyOf: () => ({ firstSeconds: 0.05, factor: 1, maxSeconds: 0.05, jitter: 0 }),
      handle: async (item) => {
        item.routedTo(HARBOUR);
        tried.push(item.ref);
        if (!isUp) throw new OutOfReachError();
      },
    });
    await until(async () => ((await troubledLanes(db))[0]?.failures ?? 0) >= 6, 'six failures in a row');
    expect(new Set(tried).size).toBeLessThan(20);
    isUp = true;
    await untilEmpty(db);
    expect(await troubledLanes(db)).toEqual([]);
  });

  it('is well again when it answers, even if it refuses for good', async () => {
    for (let times = 0; times < 3; times += 1) await fail(0);
    await fill(3);
    const message = 'Nobody here takes that.';
    const refuse = async () => Promise.reject(new GatewayError({ code: 'REFUSED', kind: 'forbidden', message }));
    await start({ db, handle: refuse });
    await untilEmpty(db);
    expect(await troubledLanes(db)).toEqual([]);
  });

  it('may turn out to be another lane than the one it was enqueued for', async () => {
    await enqueue(db, outboxEntry({ isGuess: true }));
    let attempts = 0;
    await start({
      db,
      handle: async (item) => {
        item.routedTo(HARBOUR);
        if ((attempts += 1) === 1) throw new OutOfReachError();
      },
    });
    await untilEmpty(db);
    await enqueue(db, outboxEntry({ isGuess: true }));
    await untilEmpty(db);
    const [head] = await db.query<{ key: string }>(`SELECT encode(destination_key, 'escape') AS key FROM outbox_head`);
    expect(head!.key).toBe('harbour');
  });

  it('does not keep a message beyond its time, even one that was never tried', async () => {
    await pauseLane(db, HARBOUR);
    const [late] = await fill(1, HARBOUR, { expiresInSeconds: 0 });
    await fill(1);
    await claim();
    const expired = await claimExpired(db, { leaseSeconds: 30, limit: 10 });
    expect(expired.map(({ ref }) => ref)).toEqual([late]);
    await db.query('DELETE FROM outbox_lease');
    await db.query('UPDATE outbox_head SET parked = true');
    const failures: unknown[] = [];
    await start({ db, handle: async () => {}, fail: async (_, { ref }, error) => void failures.push([ref, error]) });
    await until(() => failures.length > 0, 'the failure');
    expect(failures).toEqual([[late, expect.objectContaining({ code: 'EXPIRED' })]]);
  });
});

describe('A destination that was in trouble', () => {
  const names = async () => (await troubledLanes(db)).map(({ sealedName }) => sealedName.toString()).sort();

  it('is forgotten when nothing has failed there for long, unless it is paused', async () => {
    for (const name of ['old', 'older', 'paused', 'young'])
      await db.transaction((tx) => laneFailed(tx, lane(name), 'OUT_OF_REACH', () => 1));
    await pauseLane(db, lane('paused'));
    await db.query(`UPDATE outbox_lane SET changed_at = now() - make_interval(days => length(sealed_destination))
      WHERE destination_key <> 'young'`);
    expect([await purgeLanes(db, 2, 1), await names()]).toEqual([1, ['old', 'paused', 'young']]);
    expect([await purgeLanes(db, 2, 9), await purgeLanes(db, 2, 9)]).toEqual([1, 0]);
    expect(await names()).toEqual(['paused', 'young']);
  });

  it('is remembered as long as it goes on failing', async () => {
    await fail(1);
    await db.query(`UPDATE outbox_lane SET changed_at = now() - interval '3 days'`);
    await fail(1);
    expect([await purgeLanes(db, 2, 9), (await troubledLanes(db))[0]!.failures]).toEqual([0, 2]);
  });
});

describe('A delay', () => {
  it('is told once, while the message waits, and not at all if it did not', async () => {
    const told: string[] = [];
    const slow = await enqueue(db, outboxEntry({ pair: 'slow', noticeInSeconds: 0 }));
    const quiet = await enqueue(db, outboxEntry({ pair: 'quiet', noticeInSeconds: null }));
    await pauseNetwork(db, 'email');
    const delayed = async (_: unknown, { ref }: { ref: string }) => void told.push(ref);
    await start({ db, handle: async () => {}, delayed });
    await until(() => told.length > 0, 'the notice');
    await until(
      async () => (await db.query('SELECT FROM outbox_item WHERE notice_at IS NOT NULL')).length === 0,
      'its note',
    );
    await db.transaction((tx) => resumeNetwork(tx, 'email'));
    await untilEmpty(db);
    expect(told).toEqual([slow]);
    expect(told).not.toContain(quiet);
  });

  it('that the database did not let be told is told soon', async () => {
    let attempts = 0;
    await enqueue(db, outboxEntry({ pair: 'slow', noticeInSeconds: 0 }));
    await pauseNetwork(db, 'email');
    const delayed = async () => {
      attempts += 1;
      if (attempts === 1) throw new StorageUnavailableError({ cause: null }); // as after a deadlock
    };
    await start({ db, handle: async () => {}, delayed });
    await until(
      async () => (await db.query('SELECT FROM outbox_item WHERE notice_at IS NOT NULL')).length === 0,
      'its note',
    );
    expect(attempts).toBe(2);
  });

  it('that cannot be told is tried again later, and nobody waits for it', async () => {
    const told: string[] = [];
    const broken = await enqueue(db, outboxEntry({ pair: 'broken', noticeInSeconds: 0 }));
    const fine = await enqueue(db, outboxEntry({ pair: 'fine', noticeInSeconds: 1 }));
    await pauseNetwork(db, 'email');
    const delayed = async (_: unknown, { ref }: { ref: string }) => {
      if (ref === broken) throw new Error('no words');
      told.push(ref);
    };
    await start({ db, handle: async () => {}, delayed });
    await until(() => told.includes(fine), 'the other notice');
    const [{ late }] = (await db.query<{ late: boolean }>(
      'SELECT notice_at > now() AS late FROM outbox_item WHERE ref = $1',
      [broken],
    )) as [{ late: boolean }];
    expect(late).toBe(true);
  });
});
