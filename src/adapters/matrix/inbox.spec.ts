import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { recordStatements, type Statement } from '../../../test/support/recorded-statements.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import { silentLog } from '../../ops/event-log.js';
import { toMatrixReply } from './errors.js';
import type { MatrixEvent } from './event.js';
import { retryEvents, troubledEvents } from './inbox-care.js';
import { MatrixInbox, type EventHandler } from './inbox.js';
import { InboxStore } from './inbox.store.js';
import { MemoryBusyError } from './media-budget.js';

let storage: TestStorage;
let store: InboxStore;
const inboxes: MatrixInbox[] = [];
beforeAll(async () => {
  storage = await openTestStorage('matrix_inbox');
  store = new InboxStore(storage.sealer);
});
beforeEach(async () => void (await storage.db.query('TRUNCATE matrix_inbox')));
afterEach(async () => void (await Promise.all(inboxes.splice(0).map((inbox) => inbox.stop()))));
afterAll(() => storage.close());

const event = (id: string, room = '!r'): MatrixEvent => ({
  type: 'm.room.message',
  event_id: id,
  room_id: room,
  sender: '@a:hs.test',
  content: {},
});
const start = (handle: EventHandler['handle'], fail: EventHandler['fail'] = async () => undefined) => {
  const handler = { handle, fail };
  const inbox = new MatrixInbox({
    db: storage.db,
    store,
    handler,
    delays: { tell: async () => undefined, takeBack: async () => undefined },
    log: silentLog,
    retrySeconds: 60,
    leaseSeconds: 600,
    maxWaiting: 1_000,
  });
  inboxes.push(inbox);
  inbox.start();
  return inbox;
};
const empty = () =>
  eventually('an empty inbox', async () => {
    const waiting = "SELECT FROM matrix_inbox WHERE state = 'waiting'";
    return (await storage.db.query(waiting)).length === 0;
  });
/** Something that is under way until it is told to go on. */
function gate() {
  let go = () => {};
  const opened = new Promise<void>((resolve) => (go = resolve));
  return { opened, go };
}

describe('files that take their time', () => {
  const file = (id: string, sender: string): MatrixEvent => ({
    ...event(id, `!${id}`),
    sender,
    content: { msgtype: 'm.file', body: id, url: 'mxc://hs.test/x' },
  });
  const filesOf = (sender: string) => Array.from({ length: 20 }, (_, index) => file(`$${sender}${index}`, sender));

  it('of one sender hold a quarter of the places, those of many three quarters', async () => {
    const { opened, go } = gate();
    const begun: string[] = [];
    const texts: string[] = [];
    const inbox = start(async ({ sender, content, event_id: id }) => {
      if (!('url' in content)) return void texts.push(id);
      begun.push(sender);
      await opened;
    });
    const under = (sender: string) => begun.filter((each) => each === sender).length;
    await inbox.accept(filesOf('@slow'));
    await inbox.accept([...filesOf('@other').slice(0, 1), event('$text', '!text')]);
    await eventually('others to be handled', async () => texts.length === 1 && under('@other') === 1);
    expect(under('@slow')).toBe(4);

    await inbox.accept(['@b', '@c', '@d', '@e'].flatMap(filesOf));
    await inbox.accept([event('$last', '!last')]);
    await eventually('a text to be handled', async () => texts.length === 2);
    await eventually('files in all their places', async () => begun.length === 12);
    expect(Math.max(...begun.map(under))).toBe(4);
    go();
    await empty();
    expect(begun).toHaveLength(101);
    // Whose they were is nobody's business any more.
    expect(await storage.db.query('SELECT FROM matrix_inbox WHERE file_key IS NOT NULL')).toEqual([]);
  });

  it('or find no memory come again soon, and their places are free', async () => {
    const inbox = start(async () => {
      throw new MemoryBusyError();
    });
    await inbox.accept([file('$1', '@a')]);
    const [waiting] = await eventually('it to be put off', async () => {
      const troubled = await troubledEvents(storage.db);
      return troubled.length > 0 && troubled;
    });
    expect(waiting).toMatchObject({ state: 'waiting', code: 'MEMORY_BUSY' });
    expect(waiting!.nextAt!.getTime() - waiting!.receivedAt.getTime()).toBeLessThan(60_000); // not `retrySeconds`
  });
});

describe('rooms', () => {
  const rooms = Array.from({ length: 450 }, (_, index) => `!${index}`);
  const claimAll = async () => {
    const claimed: string[] = [];
    for (;;) {
      const items = await store.claim(storage.db, 16, 60);
      if (items.length === 0) return claimed;
      claimed.push(...items.map((item) => item.open().event_id));
    }
  };

  it('are all found, be there more of them than one look takes in', async () => {
    await store.add(
      storage.db,
      rooms.flatMap((room) => [event(`$1${room}`, room), event(`$2${room}`, room)]),
    );
    const claimed = new Set<string>();
    for (let looks = 0; looks < 100 && claimed.size < rooms.length; looks += 1)
      for (const id of await claimAll()) claimed.add(id);
    expect([...claimed].sort()).toEqual(rooms.map((room) => `$1${room}`).sort());
  });

  it('wait for their first event, also one that was tried before, and for no other room’s', async () => {
    await store.add(storage.db, [event('$1', '!a'), event('$2', '!a'), event('$3', '!b')]);
    const [first] = await store.claim(storage.db, 1, 60);
    expect(first!.open().event_id).toBe('$1');
    await store.postpone(storage.db, first!.id, 'LATER', 600);
    expect(await claimAll()).toEqual(['$3']);
    await storage.db.query('UPDATE matrix_inbox SET next_at = now() WHERE attempts > 0');
    const [again] = await store.claim(storage.db, 16, 60);
    expect([again!.open().event_id, again!.attempts]).toEqual(['$1', 1]);
  });

  it('cost no more to claim however much waits in one of them', async () => {
    await store.add(
      storage.db,
      Array.from({ length: 3_000 }, (_, index) => event(`$${index}`, '!flood')),
    );
    await storage.db.query('VACUUM ANALYZE matrix_inbox');
    const recording = recordStatements();
    await store.claim(storage.db, 16, 60);
    recording.stop();
    const claim = recording.statements().find(({ name }) => name === 'matrix-inbox-claim')!;
    const touched = await rowsTouched(claim);
    expect(touched).toBeLessThan(100);
  });

  /** Rows that all steps of a statement saw, and looked at in vain, together. */
  async function rowsTouched({ sql, params }: Statement): Promise<number> {
    interface Node {
      readonly 'Actual Rows': number;
      readonly 'Actual Loops': number;
      readonly 'Rows Removed by Filter'?: number;
      readonly Plans?: readonly Node[];
    }
    const touchedBy = (node: Node): number =>
      (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'] +
      (node.Plans ?? []).reduce((sum, child) => sum + touchedBy(child), 0);
    const rows = await storage.db.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`,
      params,
    );
    return touchedBy(rows[0]!['QUERY PLAN'][0].Plan);
  }
});

describe('what the homeserver brought', () => {
  it('is not taken while too much waits, and the homeserver keeps it', async () => {
    await store.add(
      storage.db,
      Array.from({ length: 1_001 }, (_, index) => event(`$${index}`, '!flood')),
    );
    const { opened, go } = gate();
    const inbox = start(() => opened);
    const refusal = await inbox.accept([event('$more')]).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'INBOX_FULL', retryable: true });
    expect(toMatrixReply(refusal)).toMatchObject({ status: 429, body: { errcode: 'M_LIMIT_EXCEEDED' } });
    go();
  });

  it('is taken in its order, repeats in the same transaction left out', async () => {
    const handled: string[] = [];
    const inbox = start(async ({ event_id: id }) => void handled.push(id));
    const ids = Array.from({ length: 100 }, (_, index) => `$${index}`);
    expect(await inbox.accept([...ids, '$7', '$99'].map((id) => event(id)))).toBe(100);
    expect(await inbox.accept([event('$100'), event('$3')])).toBe(1);
    await empty();
    expect(handled).toEqual([...ids, '$100']);
  });

  it('is taken over soon from a process that is gone, whatever leases are elsewhere', async () => {
    const { opened, go } = gate();
    const begun: string[] = [];
    const inbox = start(async ({ event_id: id }) => {
      begun.push(id);
      await opened;
    });
    await inbox.accept([event('$1')]);
    await eventually('it to be under way', async () => begun.length > 0);
    const lease = 'SELECT extract(epoch FROM lease_until - now())::float8 AS seconds FROM matrix_inbox';
    const [{ seconds } = { seconds: 0 }] = await storage.db.query<{ seconds: number }>(lease);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(10);
    await storage.db.query("UPDATE matrix_inbox SET lease_until = '-infinity'"); // that time is over
    const other: string[] = [];
    start(async ({ event_id: id }) => void other.push(id));
    await empty();
    expect(other).toEqual(['$1']);
    go();
  });

  it('is kept where it failed for good, and has another chance when an operator wants it', async () => {
    let isWell = false;
    const handled: string[] = [];
    const failed: string[] = [];
    const refuse = new DeliveryFailedError({ code: 'REFUSED', reason: 'no', retryable: false });
    const inbox = start(
      async ({ event_id: id }) => {
        if (!isWell && id !== '$2') throw refuse;
        handled.push(id);
      },
      async ({ event_id: id }) => void failed.push(id),
    );
    await inbox.accept([event('$1'), event('$2'), event('$3', '!other')]);
    await empty();
    expect([failed.toSorted(), handled]).toEqual([['$1', '$3'], ['$2']]);
    const troubled = await troubledEvents(storage.db);
    expect(troubled).toHaveLength(2);
    expect(new Set(troubled.map(({ room }) => room)).size).toBe(2);
    expect(troubled[0]).toMatchObject({ state: 'failed', code: 'REFUSED', attempts: 1, isKept: true, nextAt: null });

    isWell = true;
    expect(await retryEvents(storage.db, troubled[0]!.id)).toBe(1);
    await empty();
    expect(await retryEvents(storage.db, troubled[0]!.id)).toBe(0);
    expect(await retryEvents(storage.db, null)).toBe(1);
    await empty();
    expect(handled.toSorted()).toEqual(['$1', '$2', '$3']);
    expect(await troubledEvents(storage.db)).toEqual([]);
  });

  it('goes on where its author cannot be told for good, and waits where he may be told yet', async () => {
    const refuse = (retryable: boolean) => new DeliveryFailedError({ code: 'REFUSED', reason: 'no', retryable });
    const told: string[] = [];
    const inbox = start(
      async ({ event_id: id }) => {
        if (id !== '$2') throw refuse(false);
      },
      async ({ event_id: id }) => {
        told.push(id);
        throw refuse(id === '$3');
      },
    );
    await inbox.accept([event('$1'), event('$2'), event('$3', '!other')]);
    await eventually('all to be tried', async () => told.length === 2);
    await inbox.stop();
    const states = await storage.db.query('SELECT state, code FROM matrix_inbox ORDER BY position');
    expect(states).toEqual([
      { state: 'failed', code: 'REFUSED' },
      { state: 'done', code: null },
      { state: 'waiting', code: null }, // left to its lease
    ]);
  });

  it('goes on where a fault of ours keeps its author from being told, or nobody could for very long', async () => {
    const refused = new DeliveryFailedError({ code: 'REFUSED', reason: 'no', retryable: false });
    const later = new DeliveryFailedError({ code: 'LATER', reason: 'not now', retryable: true });
    await store.add(storage.db, [event('$1', '!a'), event('$2', '!b')]);
    await storage.db.query(`UPDATE matrix_inbox SET received_at = now() - interval '15 days' WHERE position =
      (SELECT max(position) FROM matrix_inbox)`);
    start(
      () => Promise.reject(refused),
      ({ event_id: id }) => Promise.reject(id === '$1' ? new TypeError('a fault') : later),
    );
    await empty();
  });

  it('is erased when nobody wanted it for long', async () => {
    const inbox = start(async () => {
      throw new DeliveryFailedError({ code: 'REFUSED', reason: 'no', retryable: false });
    });
    await inbox.accept([event('$1')]);
    await empty();
    expect(await store.eraseFailed(storage.db, 1, 10)).toBe(0);
    await storage.db.query("UPDATE matrix_inbox SET settled_at = now() - interval '2 days'");
    expect(await store.eraseFailed(storage.db, 1, 10)).toBe(1);
    expect(await troubledEvents(storage.db)).toMatchObject([{ isKept: false }]);
    expect(await retryEvents(storage.db, null)).toBe(0);
  });

  it('that waits for its next attempt is tried now when an operator wants it', async () => {
    let isWell = false;
    const inbox = start(async () => {
      if (!isWell) throw new DeliveryFailedError({ code: 'BUSY', reason: 'later', retryable: true });
    });
    await inbox.accept([event('$1')]);
    const [waiting] = await eventually('it to fail', async () => {
      const troubled = await troubledEvents(storage.db);
      return troubled.length > 0 && troubled;
    });
    expect(waiting).toMatchObject({ state: 'waiting', code: 'BUSY', attempts: 1, failedAt: null });
    isWell = true;
    expect(await retryEvents(storage.db, waiting!.id)).toBe(1);
    await empty();
  });
});
