import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestSchema, type TestSchema } from '../../test/support/database.js';
import { enqueue, outboxEntry } from '../../test/support/outbox.js';
import { silentLog } from '../ops/event-log.js';
import { Database } from '../storage/database.js';
import { QueuePressure, type PressureLimits } from './pressure.js';

let schema: TestSchema;
let db: Database;
beforeAll(async () => {
  schema = await createTestSchema('pressure');
  db = new Database(schema.options);
  await db.open();
});
beforeEach(() => db.query('TRUNCATE outbox_head, outbox_lease, outbox_item, outbox_dead'));
afterAll(async () => {
  await db.close();
  await schema.drop();
});

const NONE: PressureLimits = { maxWaiting: 1_000, diskPaths: [], minFreeBytes: 0 };
const measured = async (limits: Partial<PressureLimits>) => {
  const pressure = new QueuePressure({ db, limits: { ...NONE, ...limits }, log: silentLog });
  await pressure.measure();
  return pressure;
};
const fill = async (count: number) => {
  for (let index = 0; index < count; index += 1) await enqueue(db, outboxEntry({ pair: `${index}` }));
};
const overloaded = { code: 'OVERLOADED', kind: 'limit-exceeded', retryable: true, facts: { retryAfterSeconds: 60 } };

describe('QueuePressure', () => {
  it('lets everything in while there is room', async () => {
    await fill(3);
    const pressure = await measured({ maxWaiting: 3, maxDatabaseBytes: 1e15, diskPaths: ['/'], minFreeBytes: 1 });
    pressure.checkQueue();
    expect(pressure.reason).toBeNull();
  });

  it('shuts the queue’s doors, not those of mailboxes, when too much waits, and opens them when there is room', async () => {
    await fill(41);
    const pressure = await measured({ maxWaiting: 40 });
    expect(() => pressure.checkQueue()).toThrow(expect.objectContaining(overloaded));
    expect(() => pressure.checkQueue()).toThrow(/too many messages wait for delivery\. Try again in 60 seconds/);
    pressure.checkSpace();
    const leave = (count: number) =>
      db.query('DELETE FROM outbox_item WHERE head_id NOT IN (SELECT head_id FROM outbox_item LIMIT $1)', [count]);
    await leave(39);
    await pressure.measure();
    expect(pressure.reason).not.toBeNull(); // not before a twentieth is free
    await leave(38);
    await pressure.measure();
    pressure.checkQueue();
  });

  it.each([
    ['the database is full', { maxDatabaseBytes: 1 }],
    ['a disk is full', { diskPaths: ['/'], minFreeBytes: Number.MAX_SAFE_INTEGER }],
  ] as const)('shuts all doors when %s', async (reason, limits) => {
    const pressure = await measured(limits);
    expect(pressure.reason).toBe(reason);
    expect(() => pressure.checkSpace()).toThrow(expect.objectContaining(overloaded));
    expect(() => pressure.checkQueue()).toThrow(reason);
  });

  it('judges what it can see where a directory is missing', async () => {
    await fill(2);
    const diskPaths = ['/no/such/directory', '/'];
    const full = await measured({ maxWaiting: 1, diskPaths });
    expect(full.reason).toBe('too many messages wait for delivery');
    const small = await measured({ diskPaths, minFreeBytes: Number.MAX_SAFE_INTEGER });
    expect(small.reason).toBe('a disk is full');
  });

  it('stays as it was when it cannot look, and looks again by itself', async () => {
    const pressure = await measured({ diskPaths: ['/no/such/directory'] });
    pressure.checkQueue();
    await pressure.start();
    await pressure.stop();
    pressure.checkQueue();
  });
});
