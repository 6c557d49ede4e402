import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { enqueue, outboxEntry, pausingHandler, startWorker, until, untilEmpty } from '../../test/support/outbox.js';
import { RemoteDatabase } from '../../test/support/remote-database.js';
import { openTestStorage, type TestStorage } from '../../test/support/storage.js';
import { GatewayError } from '../common/errors.js';
import { silentLog, type EventLog } from '../ops/event-log.js';
import type { Database } from '../storage/database.js';
import { SessionLock } from '../storage/session-lock.js';
import { Absentees, GRACE_MS } from './absentees.js';
import { claimDue } from './claim.js';
import { finishItem } from './leases.js';
import type { OutboxWorker } from './outbox-worker.js';
import { absentHolders } from './sign-of-life.js';

/** So long that no test sees it end. */
const LONG_SECONDS = 3_600;
const caps = { byNetwork: {}, others: 8 };

class MovedOnError extends GatewayError {
  constructor() {
    super({ code: 'ILLEGAL_TRANSITION', kind: 'internal', message: 'Somebody else has settled it.' });
  }
}

let storage: TestStorage;
let db: Database;
let other: RemoteDatabase;
let workers: OutboxWorker[] = [];
const locks: SessionLock[] = [];
beforeAll(async () => {
  storage = await openTestStorage('absentees');
  db = storage.db;
  other = new RemoteDatabase(db.options);
  await other.open();
});
beforeEach(async () => void (await db.query('TRUNCATE outbox_head, outbox_lease, outbox_item, outbox_dead')));
afterEach(async () => {
  other.thaw();
  await Promise.all(workers.map((worker) => worker.stop()));
  await Promise.all(locks.splice(0).map((lock) => lock.release()));
  workers = [];
});
afterAll(async () => {
  await other.close();
  await storage.close();
});

const start: typeof startWorker = async (options) => {
  const worker = await startWorker({ leaseSeconds: LONG_SECONDS, ...options });
  workers.push(worker);
  return worker;
};
/** As a worker of that name, of which there is nothing but its lease. */
const claimAs = async (holder: string | null) =>
  (await claimDue(db, { limit: 1, leaseSeconds: LONG_SECONDS, caps, held: [], holder })).items[0]!;
const show = async (id: string, { db: where } = storage) => {
  const lock = new SessionLock(where, `worker/${id}`);
  locks.push(lock);
  expect(await lock.tryAcquire(() => {})).toBe(true);
  return lock;
};
const lease = async () => (await db.query<{ holder: string | null }>('SELECT holder FROM outbox_lease'))[0];
const SELF = randomUUID();
const HOLDS_LOCK = `FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
  AND (classid::bigint << 32 | objid::bigint) = hashtextextended($1, 0)`;
const sessionOf = async (holder: string) =>
  (await db.query<{ pid: number }>(`SELECT pid ${HOLDS_LOCK}`, [`${db.schema}/worker/${holder}`]))[0]?.pid;

function recordingLog(): { log: EventLog; lines: string[] } {
  const lines: string[] = [];
  const note: EventLog['warn'] = (event, { code, count } = {}) => void lines.push(`${event} ${code ?? count ?? ''}`);
  return { log: { ...silentLog, warn: note, error: note }, lines };
}

describe('A worker that is gone', () => {
  it('has its pairs taken over at once, and settles nothing any more should it come back', async () => {
    const { handle, begun, release } = pausingHandler();
    const [ref, next] = [await enqueue(db), await enqueue(db)];
    const [dead, alive] = [recordingLog(), recordingLog()];
    const gone = await start({
      db: other,
      log: dead.log,
      handle: async (claim) => {
        await handle(claim);
        return async () => {
          throw new MovedOnError();
        };
      },
    });
    await begun;
    other.freeze();
    await other.cutConnections(db);
    const taken: string[] = [];
    await start({ db, log: alive.log, handle: async (claim) => void taken.push(claim.ref) });
    await untilEmpty(db);
    expect(taken).toEqual([ref, next]);
    expect(alive.lines).toEqual(['outbox.taken-over 1']);

    release();
    other.thaw();
    await gone.stop();
    expect(dead.lines).toContain('outbox.left-to-lease LEASE_LOST');
    expect(dead.lines.filter((line) => line.startsWith('outbox.failed'))).toEqual([]);
  });

  it('has the time to show itself again, however often', async () => {
    let now = 0;
    const absentees = new Absentees(db, SELF, () => now);
    const look = async (at: number) => {
      now = at;
      return [await absentees.look(), absentees.areMissed];
    };
    const id = randomUUID();
    await enqueue(db);
    const item = await claimAs(id);
    expect(await look(0)).toEqual([0, true]);
    expect(await look(GRACE_MS - 1)).toEqual([0, true]);
    const back = await show(id);
    expect(await look(GRACE_MS + 1)).toEqual([0, false]);
    await back.release();
    expect(await look(10_000)).toEqual([0, true]);
    expect(await look(10_000 + GRACE_MS)).toEqual([1, true]);
    expect(await look(20_000)).toEqual([0, false]);
    await expect(db.transaction((tx) => finishItem(tx, item))).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect((await claimAs(null)).ref).toBe(item.ref);
  });

  it('is known by the schema, too', async () => {
    const elsewhere = await openTestStorage('absentees');
    const id = randomUUID();
    await enqueue(db);
    await claimAs(id);
    const namesake = await show(id, elsewhere);
    expect(await absentHolders(db, SELF)).toEqual([id]);
    await show(id);
    expect(await absentHolders(db, SELF)).toEqual([]);
    await namesake.release();
    await elsewhere.close();
  });
});

describe('Nobody takes over', () => {
  const isTakenBack = async () => {
    let now = 0;
    const absentees = new Absentees(db, SELF, () => now);
    await absentees.look();
    now = GRACE_MS;
    return (await absentees.look()) > 0;
  };

  it('from a worker that is frozen: its session lives', async () => {
    const { handle, begun, release } = pausingHandler();
    await enqueue(db);
    await start({ db: other, handle });
    await begun;
    other.freeze();
    expect(await isTakenBack()).toBe(false);
    release();
    other.thaw();
    await untilEmpty(db);
  });

  it('what a worker holds that nobody could see: that is for its lease to say', async () => {
    await enqueue(db);
    await claimAs(null);
    expect(await isTakenBack()).toBe(false);
    expect(await lease()).toEqual({ holder: null });
  });

  it('from itself, be its own session cut or not', async () => {
    await enqueue(db);
    await claimAs(SELF);
    expect(await isTakenBack()).toBe(false);
  });
});

it('A worker whose session is cut keeps what it is at work on, and shows itself again', async () => {
  const { handle, begun, release } = pausingHandler();
  const handled: string[] = [];
  const ref = await enqueue(db);
  await start({
    db,
    handle: async (claim) => {
      handled.push(claim.ref);
      await handle(claim);
    },
  });
  await begun;
  const holder = (await lease())!.holder!;
  const before = (await sessionOf(holder))!;
  await db.query(`SELECT pg_terminate_backend(pid) ${HOLDS_LOCK}`, [`${db.schema}/worker/${holder}`]);
  await until(async () => ![undefined, before].includes(await sessionOf(holder)), 'a new session');
  await until(async () => (await lease())?.holder === holder, 'its name on the lease');
  const meanwhile = await enqueue(db, outboxEntry({ pair: 'bob' }));
  release();
  await untilEmpty(db);
  expect(handled).toEqual([ref, meanwhile]);
});

it('A worker that cannot be seen works all the same, under no name', async () => {
  const { handle, begun, release } = pausingHandler();
  const { log, lines } = recordingLog();
  const full = new RemoteDatabase(db.options);
  await full.open();
  full.dedicatedClient = () => Promise.reject(new Error('no more connections'));
  await enqueue(db);
  await start({ db: full, handle, log });
  await begun;
  expect(await lease()).toEqual({ holder: null });
  expect(lines).toContain('outbox.unseen UNEXPECTED');
  release();
  await untilEmpty(db);
  await workers.pop()!.stop();
  await full.close();
});
