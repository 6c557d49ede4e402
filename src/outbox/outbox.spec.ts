import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestSchema, type TestSchema } from '../../test/support/database.js';
import { enqueue, outboxEntry } from '../../test/support/outbox.js';
import { Database } from '../storage/database.js';
import { claimDue } from './claim.js';
import { buryItem, finishItem, postponeItem } from './leases.js';
import { Outbox } from './outbox.js';

const ONE_EACH = { byNetwork: {}, others: 1 };

describe('Outbox', () => {
  let schema: TestSchema;
  let db: Database;
  let outbox: Outbox;

  beforeAll(async () => {
    schema = await createTestSchema('outbox');
    db = new Database(schema.options);
    await db.open();
    outbox = new Outbox(db.schema);
  });
  beforeEach(async () => void (await db.query('TRUNCATE outbox_head, outbox_lease, outbox_item, outbox_dead')));
  afterAll(async () => {
    await db.close();
    await schema.drop();
  });

  const claimOne = async () => (await claimDue(db, { limit: 1, leaseSeconds: 30, caps: ONE_EACH, held: [] })).items[0]!;
  /** Claims what is due first and moves it to the dead letters. */
  const bury = async (code = 'REFUSED') => {
    const item = await claimOne();
    await db.transaction((tx) => buryItem(tx, item, { code }));
    return item.ref;
  };

  it('leaves nothing behind when the transaction that enqueued is rolled back', async () => {
    const entry = outboxEntry();
    const failing = db.transaction(async (tx) => {
      await outbox.enqueue(tx, entry);
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    expect(await outbox.statusOf(db, entry.ref)).toBeNull();
    expect(await outbox.counts(db)).toEqual({ waiting: 0, dead: 0, oldestSeconds: 0 });
    expect(await db.query('SELECT * FROM outbox_head')).toEqual([]);
  });

  it('tells what waits, since when and until when', async () => {
    const ref = await enqueue(db, outboxEntry({ expiresInSeconds: 600 }));
    const status = (await outbox.statusOf(db, ref))!;
    expect(status).toMatchObject({ state: 'waiting', attempt: 0, lastCode: null, nextAt: status.createdAt });
    expect(status.expiresAt.getTime() - status.createdAt.getTime()).toBe(600_000);
  });

  it('tells how the last attempt ended and when the next one is', async () => {
    const ref = await enqueue(db);
    const item = await claimOne();
    await db.transaction((tx) => postponeItem(tx, item, { code: 'BUSY', delaySeconds: 120 }));
    const status = (await outbox.statusOf(db, ref))!;
    expect(status).toMatchObject({ state: 'waiting', attempt: 1, lastCode: 'BUSY' });
    expect(status.nextAt!.getTime()).toBeGreaterThan(status.createdAt.getTime() + 120_000);
    expect(await claimOne()).toBeUndefined();
  });

  it('does not let the next attempt be later than the expiry', async () => {
    const ref = await enqueue(db, outboxEntry({ expiresInSeconds: 60 }));
    const item = await claimOne();
    await db.transaction((tx) => postponeItem(tx, item, { code: 'BUSY', delaySeconds: 3_600 }));
    const status = (await outbox.statusOf(db, ref))!;
    expect(status.nextAt).toEqual(status.expiresAt);
  });

  it('knows nothing of what is delivered', async () => {
    const ref = await enqueue(db);
    const item = await claimOne();
    await db.transaction((tx) => finishItem(tx, item));
    expect(await outbox.statusOf(db, ref)).toBeNull();
  });

  it('counts what waits and what is dead, and how long the oldest waits', async () => {
    await enqueue(db);
    await bury();
    await enqueue(db);
    await enqueue(db, outboxEntry({ pair: 'bob' }));
    await db.query(`UPDATE outbox_item SET created_at = now() - interval '90 seconds'`);
    const counts = await outbox.counts(db);
    expect(counts).toMatchObject({ waiting: 2, dead: 1 });
    expect(counts.oldestSeconds).toBeGreaterThanOrEqual(90);
    expect(counts.oldestSeconds).toBeLessThan(150);
  });

  it('lists the dead letters, newest first', async () => {
    const older = await enqueue(db);
    await bury('REFUSED');
    const newer = await enqueue(db, outboxEntry({ network: 'matrix', pair: 'bob' }));
    await bury('GONE');
    expect(await outbox.deadLetters(db)).toMatchObject([
      { ref: newer, network: 'matrix', kind: 'test', code: 'GONE', attempts: 1 },
      { ref: older, network: 'email', kind: 'test', code: 'REFUSED', attempts: 1 },
    ]);
    expect(await outbox.deadLetters(db, 1)).toHaveLength(1);
    expect(await outbox.statusOf(db, newer)).toMatchObject({
      state: 'dead',
      attempt: 1,
      nextAt: null,
      lastCode: 'GONE',
    });
  });

  it('puts a dead letter back before its successors, due at once and with its whole lifetime', async () => {
    const first = await enqueue(db, outboxEntry({ expiresInSeconds: 500 }));
    const second = await enqueue(db);
    await bury();
    const blocked = await claimOne();
    await db.transaction((tx) => postponeItem(tx, blocked, { code: 'BUSY', delaySeconds: 3_600 }));
    await db.query(
      `UPDATE outbox_dead SET created_at = created_at - interval '1 day', expires_at = expires_at - interval '1 day'`,
    );

    expect(await db.transaction((tx) => outbox.retry(tx, first))).toBe(true);

    const status = (await outbox.statusOf(db, first))!;
    expect(status).toMatchObject({ state: 'waiting', attempt: 0, lastCode: null, nextAt: status.createdAt });
    expect(status.expiresAt.getTime() - status.createdAt.getTime()).toBe(500_000);
    const revived = await claimOne();
    expect(revived).toMatchObject({ ref: first, attempt: 1 });
    await db.transaction((tx) => finishItem(tx, revived));
    expect(await claimOne()).toMatchObject({ ref: second, attempt: 2 });
    expect(await outbox.deadLetters(db)).toEqual([]);
  });

  it('wakes a pair that had nothing left to do', async () => {
    const ref = await enqueue(db);
    await bury();
    await db.transaction((tx) => outbox.retry(tx, ref));
    expect(await claimOne()).toMatchObject({ ref });
  });

  it('discards a dead letter', async () => {
    const ref = await enqueue(db);
    await bury();
    expect(await db.transaction((tx) => outbox.discard(tx, ref))).toBe(true);
    expect(await outbox.counts(db)).toEqual({ waiting: 0, dead: 0, oldestSeconds: 0 });
    expect(await db.transaction((tx) => outbox.discard(tx, ref))).toBe(false);
  });

  it('retries and discards dead letters only', async () => {
    const waiting = await enqueue(db);
    for (const ref of [waiting, randomUUID()]) {
      expect(await db.transaction((tx) => outbox.retry(tx, ref))).toBe(false);
      expect(await db.transaction((tx) => outbox.discard(tx, ref))).toBe(false);
    }
    expect(await outbox.counts(db)).toMatchObject({ waiting: 1 });
  });
});
