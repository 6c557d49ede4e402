import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestSchema, type TestSchema } from '../../test/support/database.js';
import { until } from '../../test/support/outbox.js';
import { Database } from '../storage/database.js';
import { purgeSeen, rememberOnce } from './seen.js';

describe('seen-before keys', () => {
  let schema: TestSchema;
  let db: Database;
  const key = randomBytes(32);
  const ref = randomUUID();
  const remember = (as: string, ttlSeconds = 60) => db.transaction((tx) => rememberOnce(tx, key, as, ttlSeconds));

  beforeAll(async () => {
    schema = await createTestSchema('outbox');
    db = new Database(schema.options);
    await db.open();
  });
  beforeEach(async () => void (await db.query('TRUNCATE seen')));
  afterAll(async () => {
    await db.close();
    await schema.drop();
  });

  it('tells the first from the later ones, and the later ones who was first', async () => {
    expect(await remember(ref)).toEqual({ first: true });
    expect(await remember(randomUUID())).toEqual({ first: false, ref });
    expect(await remember(ref)).toEqual({ first: false, ref });
  });

  it('forgets what was rolled back', async () => {
    const failing = db.transaction(async (tx) => {
      await rememberOnce(tx, key, randomUUID(), 60);
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    expect(await remember(ref)).toEqual({ first: true });
  });

  it('forgets what has expired', async () => {
    await remember(randomUUID(), 0);
    expect(await remember(ref)).toEqual({ first: true });
    expect(await remember(randomUUID())).toEqual({ first: false, ref });
  });

  it('lets exactly one of many at once be the first', async () => {
    const refs = Array.from({ length: 20 }, () => randomUUID());
    const answers = await Promise.all(refs.map((each) => remember(each)));
    const firsts = refs.filter((_, index) => answers[index]!.first);
    expect(firsts).toHaveLength(1);
    expect(answers.filter(({ first }) => !first)).toEqual(refs.slice(1).map(() => ({ first: false, ref: firsts[0] })));
  });

  it.each([
    ['commits', undefined, { first: false, ref }],
    ['rolls back', new Error('rolled back'), { first: true }],
  ])('makes the second wait until the first %s', async (_, error, expected) => {
    let end!: () => void;
    const ending = new Promise<void>((resolve) => (end = resolve));
    let recorded = false;
    const first = db.transaction(async (tx) => {
      await rememberOnce(tx, key, ref, 60);
      recorded = true;
      await ending;
      if (error) throw error;
    });
    const firstEnded = first.catch((thrown: unknown) => thrown);
    await until(() => recorded, 'the first to record the key');
    const second = remember(randomUUID());
    await until(() => someoneWaitsForALock(db), 'the second to wait for the first');
    end();
    expect(await firstEnded).toBe(error);
    expect(await second).toEqual(expected);
  });

  it('purges what has expired, oldest first, as much as asked for', async () => {
    const keys = ['a', 'b', 'c', 'd'].map((name) => Buffer.from(name));
    const lives = [-3, -2, -1, 60];
    await db.transaction(async (tx) => {
      for (const [index, each] of keys.entries()) await rememberOnce(tx, each, ref, lives[index]!);
    });
    expect(await purgeSeen(db, 2)).toBe(2);
    expect(await db.query('SELECT key FROM seen ORDER BY key')).toEqual([{ key: keys[2] }, { key: keys[3] }]);
    expect(await purgeSeen(db, 10)).toBe(1);
    expect(await purgeSeen(db, 10)).toBe(0);
  });
});

async function someoneWaitsForALock(db: Database): Promise<boolean> {
  const waiting = await db.query(
    `SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE NOT l.granted AND a.query LIKE 'INSERT INTO seen %' AND a.pid <> pg_backend_pid()`,
  );
  return waiting.length > 0;
}
