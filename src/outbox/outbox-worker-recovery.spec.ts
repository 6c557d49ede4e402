import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestSchema, type TestSchema } from '../../test/support/database.js';
import { enqueue, outboxEntry, pausingHandler, startWorker, until, untilEmpty } from '../../test/support/outbox.js';
import { RemoteDatabase } from '../../test/support/remote-database.js';
import { Database, type Tx } from '../storage/database.js';
import { LeaseLostError } from './errors.js';
import type { Claim } from './item-handler.js';
import type { OutboxWorker } from './outbox-worker.js';
import { Outbox } from './outbox.js';
import { rememberOnce } from './seen.js';

describe('OutboxWorker recovers', () => {
  let schema: TestSchema;
  let db: Database;
  let other: RemoteDatabase;
  let outbox: Outbox;
  let workers: OutboxWorker[] = [];

  const start: typeof startWorker = async (options) => {
    const worker = await startWorker(options);
    workers.push(worker);
    return worker;
  };
  const leaseUntil = async () => (await db.query<{ at: Date }>('SELECT until AS at FROM outbox_lease'))[0]!.at;
  const record = (ref: string, by: string) => async (tx: Tx) => void (await rememberOnce(tx, Buffer.from(by), ref, 60));
  const recordedBy = async () =>
    (await db.query<{ key: Buffer }>('SELECT key FROM seen')).map(({ key }) => key.toString());

  beforeAll(async () => {
    schema = await createTestSchema('outbox');
    db = new Database(schema.options);
    await db.open();
    outbox = new Outbox(db.schema);
    other = new RemoteDatabase(schema.options);
    await other.open();
  });
  beforeEach(async () => void (await db.query('TRUNCATE outbox_head, outbox_lease, outbox_item, outbox_dead, seen')));
  afterEach(async () => {
    other.thaw();
    await Promise.all(workers.map((worker) => worker.stop()));
    workers = [];
  });
  afterAll(async () => {
    await other.close();
    await db.close();
    await schema.drop();
  });

  it('keeps the lease of a handler that takes longer than one', async () => {
    const { handle, begun, release } = pausingHandler();
    const stolen: string[] = [];
    await enqueue(db);
    await start({ db: other, handle, leaseSeconds: 0.5 });
    await begun;
    const firstEnd = await leaseUntil();
    await start({ db, handle: async ({ ref }) => void stolen.push(ref) });
    await until(async () => (await leaseUntil()).getTime() > firstEnd.getTime() + 1_000, 'several renewals');
    release();
    await untilEmpty(db);
    expect(stolen).toEqual([]);
  });

  it('takes over from a worker that fell silent, and keeps the order', async () => {
    const { handle, begun, release } = pausingHandler();
    const refs = [await enqueue(db), await enqueue(db)];
    await start({ db: other, handle, leaseSeconds: 0.3 });
    await begun;
    other.freeze();
    const taken: [string, number][] = [];
    await start({ db, handle: async ({ ref, attempt }) => void taken.push([ref, attempt]) });
    await untilEmpty(db);
    expect(taken).toEqual(refs.map((ref) => [ref, 1]));
    release();
  });

  it('lets a frozen worker settle nothing that another took over', async () => {
    const { handle, begun, release } = pausingHandler();
    const ref = await enqueue(db);
    const frozen = await start({
      db: other,
      leaseSeconds: 0.3,
      handle: async (claim) => {
        await handle(claim);
        return record(ref, 'frozen');
      },
    });
    await begun;
    other.freeze();
    const successor = pausingHandler();
    await start({
      db,
      handle: async (claim) => {
        await successor.handle(claim);
        return record(ref, 'successor');
      },
    });
    await successor.begun;

    release();
    other.thaw();
    await frozen.stop();
    expect(await recordedBy()).toEqual([]);
    expect(await outbox.statusOf(db, ref)).toMatchObject({ state: 'waiting', attempt: 0 });

    successor.release();
    await untilEmpty(db);
    expect(await recordedBy()).toEqual(['successor']);
  });

  it('refuses a commit by a frozen worker, who then neither retries nor fails the item', async () => {
    const { handle, begun, release } = pausingHandler();
    const ref = await enqueue(db, outboxEntry({ expiresInSeconds: -1 })); // any error would be permanent
    const failed: string[] = [];
    let refusal: unknown;
    const frozen = await start({
      db: other,
      leaseSeconds: 0.3,
      handle: async (claim) => {
        await handle(claim);
        await claim.commit(record(ref, 'frozen')).catch((error: unknown) => {
          refusal = error;
          throw error;
        });
      },
      fail: async (_, item) => void failed.push(item.ref),
    });
    await begun;
    other.freeze();
    const successor = pausingHandler();
    await start({ db, handle: successor.handle });
    await successor.begun;

    release();
    other.thaw();
    await frozen.stop();
    expect(refusal).toBeInstanceOf(LeaseLostError);
    expect(failed).toEqual([]);
    expect(await recordedBy()).toEqual([]);

    successor.release();
    await untilEmpty(db);
    expect(await outbox.deadLetters(db)).toEqual([]);
  });

  it('never works twice at once on a pair whose lease it lost sight of', async () => {
    const { handle, begun, release } = pausingHandler();
    const refs: string[] = [];
    await enqueue(db);
    await start({
      db,
      concurrency: 4,
      handle: async (claim: Claim) => {
        refs.push(claim.ref);
        await handle(claim);
      },
    });
    await begun;
    await db.query(`UPDATE outbox_lease SET until = now() - interval '1 second'`);
    const bystander = await enqueue(db, outboxEntry({ pair: 'bob' }));
    await until(() => refs.includes(bystander), 'a claim after the lease has lapsed');
    expect(refs).toHaveLength(2);
    release();
    await untilEmpty(db);
    expect(refs).toHaveLength(2);
  });

  it('stops when its handlers are done, however long that takes, and keeps their leases until then', async () => {
    const { handle, begun, release } = pausingHandler();
    const stolen: string[] = [];
    await enqueue(db);
    const slow = await start({ db: other, handle, leaseSeconds: 0.3 });
    await begun;
    const stopped = slow.stop();
    const firstEnd = await leaseUntil();
    await start({ db, handle: async (claim) => void stolen.push(claim.ref) });
    await until(async () => (await leaseUntil()).getTime() > firstEnd.getTime() + 1_000, 'several renewals');
    release();
    await stopped;
    await untilEmpty(db);
    expect(stolen).toEqual([]);
  });

  it('goes on after every connection was cut, with a handler under way and without a poll', async () => {
    const { handle, begun, release } = pausingHandler();
    const delivered: string[] = [];
    await start({
      db: other,
      pollSeconds: 3_600,
      handle: async (claim) => {
        await handle(claim);
        delivered.push(claim.ref);
      },
    });
    const before = await enqueue(db);
    await begun;
    await other.cutConnections(db);
    release();
    await untilEmpty(db);
    await until(() => listens(db), 'a new listener');
    const after = await enqueue(db);
    await untilEmpty(db);
    expect(delivered).toEqual([before, after]);
  });

  it('survives connections cut inside its transactions', async () => {
    let cuts = 0;
    const refs: string[] = [];
    await start({
      db: other,
      handle:
        async ({ ref }) =>
        async (tx) => {
          await record(ref, ref)(tx);
          if (cuts === 0) await other.cutConnections(db);
          cuts += 1;
          refs.push(ref);
        },
    });
    const ref = await enqueue(db);
    await untilEmpty(db);
    expect(refs).toEqual([ref, ref]);
    expect(await recordedBy()).toEqual([ref]);
  });
});

/** Somebody waits for notifications of this schema's queue. */
async function listens(db: Database): Promise<boolean> {
  const listeners = await db.query('SELECT 1 FROM pg_stat_activity WHERE query = $1', [`LISTEN "outbox/${db.schema}"`]);
  return listeners.length > 0;
}
