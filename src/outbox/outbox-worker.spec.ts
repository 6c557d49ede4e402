import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestSchema, type TestSchema } from '../../test/support/database.js';
import { howOften } from '../../test/support/how-often.js';
import { enqueue, outboxEntry, pausingHandler, startWorker, until, untilEmpty } from '../../test/support/outbox.js';
import { GatewayError } from '../common/errors.js';
import { Database, type Tx } from '../storage/database.js';
import { LeaseLostError } from './errors.js';
import type { Claim } from './item-handler.js';
import type { OutboxWorker } from './outbox-worker.js';
import { Outbox } from './outbox.js';
import { rememberOnce } from './seen.js';

class RefusedError extends GatewayError {
  constructor() {
    super({ code: 'REFUSED', kind: 'forbidden', message: 'The far side refuses this.' });
  }
}

class BusyError extends GatewayError {
  constructor() {
    super({ code: 'BUSY', kind: 'unavailable', message: 'The far side is busy.', retryable: true });
  }
}

describe('OutboxWorker', () => {
  let schema: TestSchema;
  let db: Database;
  let outbox: Outbox;
  let workers: OutboxWorker[] = [];

  const start: typeof startWorker = async (options) => {
    const worker = await startWorker(options);
    workers.push(worker);
    return worker;
  };

  beforeAll(async () => {
    schema = await createTestSchema('outbox');
    db = new Database(schema.options);
    await db.open();
    outbox = new Outbox(db.schema);
  });
  beforeEach(async () => void (await db.query('TRUNCATE outbox_head, outbox_lease, outbox_item, outbox_dead, seen')));
  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    workers = [];
  });
  afterAll(async () => {
    await db.close();
    await schema.drop();
  });

  it('hands over what was enqueued, and writes the outcome with the removal', async () => {
    const ref = await enqueue(db, outboxEntry({ expiresInSeconds: 60 }));
    const claims: Claim[] = [];
    await start({
      db,
      handle: async (claim) => {
        claims.push(claim);
        return async (tx) => void (await rememberOnce(tx, Buffer.from('delivered'), ref, 60));
      },
    });
    await untilEmpty(db);
    expect(claims).toMatchObject([{ kind: 'test', ref, attempt: 1 }]);
    expect(claims[0]!.expiresAt.getTime() - claims[0]!.createdAt.getTime()).toBe(60_000);
    expect(await db.query('SELECT ref FROM seen')).toEqual([{ ref }]);
  });

  it('is woken by the commit that enqueues, long before the next poll', async () => {
    const handled: string[] = [];
    await start({ db, pollSeconds: 3_600, handle: async ({ ref }) => void handled.push(ref) });
    const first = await enqueue(db);
    await untilEmpty(db);
    const second = await enqueue(db); // the pair exists by now
    await untilEmpty(db);
    expect(handled).toEqual([first, second]);
  });

  it('empties a long queue without waiting for polls', async () => {
    for (let index = 0; index < 10; index += 1) await enqueue(db);
    await Promise.all(Array.from({ length: 10 }, (_, index) => enqueue(db, outboxEntry({ pair: `pair ${index}` }))));
    await start({ db, pollSeconds: 3_600, concurrency: 2, handle: async () => {} });
    await untilEmpty(db);
  });

  it('leaves room for others while a destination hangs', async () => {
    const hanging = Buffer.from('a server that does not answer');
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    for (let pair = 0; pair < 12; pair += 1) {
      await enqueue(db, outboxEntry({ pair: `stuck-${pair}`, destinationKey: hanging }));
    }
    let underWay = 0;
    let most = 0;
    const elsewhere = outboxEntry({ pair: 'elsewhere' });
    const arrived: string[] = [];
    await start({
      db,
      concurrency: 4,
      caps: { byNetwork: {}, others: 2 },
      handle: async ({ ref }) => {
        arrived.push(ref);
        if (ref === elsewhere.ref) return;
        most = Math.max(most, (underWay += 1));
        await released;
        underWay -= 1;
      },
    });
    await until(() => underWay === 2, 'two deliveries to hang');
    await enqueue(db, elsewhere);
    await until(() => arrived.includes(elsewhere.ref), 'the message to somebody else');
    release();
    await untilEmpty(db);
    expect({ most, arrived: arrived.length }).toEqual({ most: 2, arrived: 13 });
  });

  it('delivers one pair in the order of commits, whoever enqueues and whoever delivers', async () => {
    const ranks = new Map<string, number>();
    const produce = async () => {
      const entry = outboxEntry();
      await db.transaction(async (tx) => {
        await outbox.enqueue(tx, entry);
        // The rest of the pair, all of it committed since this transaction holds the pair: its length is the rank.
        const [{ rank }] = (await tx.query<{ rank: number }>('SELECT count(*)::int AS rank FROM outbox_item')) as [
          { rank: number },
        ];
        ranks.set(entry.ref, rank);
      });
    };
    await Promise.all(Array.from({ length: 60 }, produce));
    expect([...ranks.values()].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));

    const delivered: number[] = [];
    const handle = async ({ ref }: Claim) => void delivered.push(ranks.get(ref)!);
    await Promise.all([start({ db, handle }), start({ db, handle }), start({ db, handle })]);
    await untilEmpty(db);
    expect(delivered).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
  });

  it('loses nothing, doubles nothing and keeps the order whatever fails', async () => {
    const PAIRS = 50;
    const PER_PAIR = howOften(40, 10);
    const enqueued = new Map<string, string[]>();
    const pairOf = new Map<string, string>();
    const delivered = new Map<string, string[]>();
    const dead = new Set<string>();
    const busy = new Set<string>();
    const faults: string[] = [];

    const produce = async (pair: string) => {
      for (let index = 0; index < PER_PAIR; index += 1) {
        const entry = outboxEntry({ pair });
        pairOf.set(entry.ref, pair);
        enqueued.set(pair, [...(enqueued.get(pair) ?? []), entry.ref]);
        await enqueue(db, entry);
      }
    };
    const settleOnce = (ref: string) => async (tx: Tx) => {
      const { first } = await rememberOnce(tx, Buffer.from(ref), ref, 3_600);
      if (!first) faults.push(`${ref} settled twice`);
    };
    const handle = async ({ ref, attempt }: Claim) => {
      const pair = pairOf.get(ref)!;
      if (busy.has(pair)) faults.push(`two handlers at once for ${pair}`);
      busy.add(pair);
      await new Promise(setImmediate);
      busy.delete(pair);
      const chance = dice(ref, attempt);
      if (chance < 0.2) throw new BusyError();
      if (chance < 0.25) throw new RefusedError();
      return async (tx: Tx) => {
        if (chance < 0.35) throw new Error('the outcome cannot be written');
        await settleOnce(ref)(tx);
        delivered.set(pair, [...(delivered.get(pair) ?? []), ref]);
      };
    };
    const fail = async (tx: Tx, { ref }: { ref: string }) => {
      await settleOnce(ref)(tx);
      dead.add(ref);
    };

    const producing = Promise.all(Array.from({ length: PAIRS }, (_, index) => produce(`pair ${index}`)));
    await Promise.all([start({ db, handle, fail }), start({ db, handle, fail }), start({ db, handle, fail })]);
    await producing;
    await untilEmpty(db);

    expect(faults).toEqual([]);
    for (const [pair, refs] of enqueued) expect(delivered.get(pair)).toEqual(refs.filter((ref) => !dead.has(ref)));
    expect(await db.query('SELECT count(*)::int AS settled FROM seen')).toEqual([{ settled: PAIRS * PER_PAIR }]);
    expect(new Set((await outbox.deadLetters(db, 10_000)).map(({ ref }) => ref))).toEqual(dead);
    expect(dead.size).toBeGreaterThan(0);
  });

  describe('after a failure', () => {
    it('backs off by the policy of the network', async () => {
      const ref = await enqueue(db, outboxEntry({ network: 'matrix' }));
      const policy = { firstSeconds: 100, factor: 3, maxSeconds: 10_000, jitter: 0.5 };
      const policyOf = (network: string) => ({ ...policy, firstSeconds: network === 'matrix' ? 100 : 1 });
      const handle = async () => Promise.reject(new BusyError());
      await start({ db, handle, policyOf, random: () => 0.5 });
      for (const [attempt, seconds] of [
        [1, 75],
        [2, 225],
        [3, 675],
      ] as const) {
        await until(async () => (await outbox.statusOf(db, ref))!.attempt === attempt, `failure ${attempt}`);
        const [due] = await db.query<{ wait: number }>(
          'SELECT extract(epoch FROM next_at - now())::float8 AS wait FROM outbox_head',
        );
        expect(due!.wait).toBeGreaterThan(seconds - 20);
        expect(due!.wait).toBeLessThanOrEqual(seconds);
        await db.query('UPDATE outbox_head SET next_at = now()');
      }
    });

    it('tries again with the next attempt number, before anything behind it', async () => {
      const refs = [await enqueue(db), await enqueue(db)];
      const seen: [string, number][] = [];
      const handle = async ({ ref, attempt }: Claim) => {
        seen.push([ref, attempt]);
        if (ref === refs[0] && attempt < 3) throw new BusyError();
      };
      await start({ db, handle });
      await untilEmpty(db);
      expect(seen).toEqual([
        [refs[0], 1],
        [refs[0], 2],
        [refs[0], 3],
        [refs[1], 1],
      ]);
    });

    it('takes an unforeseen error for a passing one', async () => {
      const ref = await enqueue(db);
      await start({
        db,
        handle: async ({ attempt }) => {
          if (attempt === 1) throw new TypeError('a bug');
          if (attempt === 2) expect(await outbox.statusOf(db, ref)).toMatchObject({ lastCode: 'UNEXPECTED' });
        },
      });
      await untilEmpty(db);
      expect(await outbox.deadLetters(db)).toEqual([]);
    });

    it('moves what is refused to the dead letters and goes on with its successors', async () => {
      const [poison, healthy] = [await enqueue(db), await enqueue(db)];
      const handled: string[] = [];
      const failed: unknown[] = [];
      await start({
        db,
        handle: async ({ ref }) => {
          if (ref === poison) throw new RefusedError();
          handled.push(ref);
        },
        fail: async (tx, { ref, attempt }, error) => {
          failed.push([ref, attempt, error]);
          await outbox.enqueue(tx, outboxEntry({ pair: 'notices' }));
        },
      });
      await untilEmpty(db);
      expect(failed).toEqual([[poison, 1, expect.any(RefusedError)]]);
      expect(handled).toHaveLength(2); // the healthy one and the notice
      expect(handled).toContain(healthy);
      expect(await outbox.deadLetters(db)).toMatchObject([{ ref: poison, code: 'REFUSED', attempts: 1 }]);
    });

    it('gives up with the first failure after the expiry, once', async () => {
      const ref = await enqueue(db, outboxEntry({ expiresInSeconds: 0.3 }));
      const failed: string[] = [];
      await start({
        db,
        handle: async () => Promise.reject(new BusyError()),
        fail: async (_, item) => void failed.push(item.ref),
      });
      await untilEmpty(db);
      expect(failed).toEqual([ref]);
      const [letter] = await outbox.deadLetters(db);
      expect(letter).toMatchObject({ ref, code: 'BUSY' });
      expect(letter!.attempts).toBeGreaterThan(1);
      expect(letter!.diedAt.getTime() - letter!.createdAt.getTime()).toBeGreaterThanOrEqual(300);
    });

    it('still delivers what has expired but finds its way now', async () => {
      await enqueue(db, outboxEntry({ expiresInSeconds: -1 }));
      const { begun, handle, release } = pausingHandler();
      await start({ db, handle });
      release();
      await begun;
      await untilEmpty(db);
      expect(await outbox.deadLetters(db)).toEqual([]);
    });

    it('calls fail again when it could not write', async () => {
      const ref = await enqueue(db);
      let calls = 0;
      await start({
        db,
        handle: async () => Promise.reject(new RefusedError()),
        fail: async () => {
          calls += 1;
          if (calls === 1) throw new Error('the notice cannot be written');
        },
      });
      await untilEmpty(db);
      expect(calls).toBe(2);
      expect(await outbox.deadLetters(db)).toMatchObject([{ ref, code: 'REFUSED', attempts: 2 }]);
    });

    it('keeps items of an unknown kind until they expire', async () => {
      const ref = await enqueue(db, outboxEntry({ kind: 'not known here', expiresInSeconds: 0.3 }));
      await start({ db, handle: async () => {} });
      await until(async () => (await outbox.statusOf(db, ref))!.lastCode === 'UNKNOWN_KIND', 'a failure');
      await untilEmpty(db);
      expect(await outbox.deadLetters(db)).toMatchObject([{ ref, code: 'UNKNOWN_KIND' }]);
    });

    it('delivers a revived dead letter at its old place', async () => {
      const [first, second] = [await enqueue(db), await enqueue(db)];
      let refuses = true;
      const delivered: string[] = [];
      await start({
        db,
        pollSeconds: 3_600,
        handle: async ({ ref }) => {
          if (ref === first && refuses) throw new RefusedError();
          delivered.push(ref);
        },
      });
      await untilEmpty(db);
      refuses = false;
      await db.transaction((tx) => outbox.retry(tx, first));
      await untilEmpty(db);
      expect(delivered).toEqual([second, first]);
    });
  });

  describe('a claim', () => {
    it('commits while it holds the item, and no longer when that is settled', async () => {
      const ref = await enqueue(db);
      const claims: Claim[] = [];
      const handle = async (claim: Claim) => {
        claims.push(claim);
        expect(await claim.commit((tx) => rememberOnce(tx, Buffer.from('rendered'), ref, 60))).toEqual({ first: true });
      };
      await start({ db, handle });
      await untilEmpty(db);
      const late = claims[0]!.commit((tx) => rememberOnce(tx, Buffer.from('late'), ref, 60));
      await expect(late).rejects.toThrow(LeaseLostError);
      expect(await db.query('SELECT key FROM seen')).toEqual([{ key: Buffer.from('rendered') }]);
    });

    it('rolls back what its work did when that throws', async () => {
      const ref = await enqueue(db);
      const handle = async ({ attempt, commit }: Claim) => {
        if (attempt > 1) return;
        await commit(async (tx) => {
          await rememberOnce(tx, Buffer.from('rendered'), ref, 60);
          throw new BusyError();
        });
      };
      await start({ db, handle });
      await untilEmpty(db);
      expect(await db.query('SELECT key FROM seen')).toEqual([]);
    });
  });

  it('waits for the handlers under way when it stops, and claims nothing more', async () => {
    const { handle, begun, release } = pausingHandler();
    await enqueue(db);
    const worker = await start({ db, handle });
    await begun;
    const successor = await enqueue(db, outboxEntry());
    let stopped = false;
    const stopping = worker.stop().then(() => (stopped = true));
    await until(async () => !stopped, 'the worker to wait');
    release();
    await stopping;
    expect(await outbox.counts(db)).toMatchObject({ waiting: 1 });
    expect(await outbox.statusOf(db, successor)).toMatchObject({ state: 'waiting', attempt: 0 });
  });
});

/** Evenly spread over [0, 1), the same for the same item and attempt. */
function dice(ref: string, attempt: number): number {
  return createHash('sha256').update(`${ref} ${attempt}`).digest().readUInt32BE() / 2 ** 32;
}
