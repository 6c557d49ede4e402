import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestSchema, type TestSchema } from '../../test/support/database.js';
import { Database } from './database.js';
import { StorageUnavailableError } from './errors.js';
import { migrations } from './migrations/index.js';

const TABLES = [
  'account',
  'admin_token',
  'conversation',
  'ghost',
  'login_challenge',
  'mailbox',
  'message',
  'message_map',
  'outbox_dead',
  'outbox_head',
  'outbox_item',
  'seen',
];

let schema: TestSchema;
let db: Database;
beforeAll(async () => {
  schema = await createTestSchema('database');
  db = new Database(schema.options);
  await db.open();
});
afterAll(async () => {
  await db.close();
  await schema.drop();
});

async function tables(): Promise<string[]> {
  const sql = `SELECT table_name FROM information_schema.tables WHERE table_schema = $1 AND table_name <> 'migrations'
    ORDER BY table_name`;
  return (await db.query<{ table_name: string }>(sql, [db.schema])).map((row) => row.table_name);
}

const tokens = async () => (await db.query('SELECT 1 FROM admin_token')).length;
const INSERT = "INSERT INTO admin_token (token_hash, scopes) VALUES ($1, '{}')";
const key = () => Buffer.from(randomUUID());

describe('migrations', () => {
  it('make every table, are undone without a trace, and made again', async () => {
    const made = await tables();
    expect(made).toEqual(expect.arrayContaining(TABLES));
    await db.undoMigrations(migrations.length);
    expect(await tables()).toEqual([]);
    await expect(db.query('SELECT * FROM message')).rejects.toThrow('does not exist');
    await reopen();
    expect(await tables()).toEqual(made);
  });

  it('change nothing when they ran already, also in two processes at once', async () => {
    const twins = [new Database(schema.options), new Database(schema.options)];
    const made = await tables();
    await Promise.all(twins.map((twin) => twin.open()));
    expect(await tables()).toEqual(made);
    await Promise.all(twins.map((twin) => twin.close()));
  });

  /** Migrations run when a database is opened. */
  async function reopen(): Promise<void> {
    await db.close();
    db = new Database(schema.options);
    await db.open();
  }
});

describe('a transaction', () => {
  it('commits all it did, and gives back what it made', async () => {
    const before = await tokens();
    const result = await db.transaction(async (tx) => {
      await tx.query(INSERT, [key()]);
      expect(await tokens()).toBe(before);
      await tx.query(INSERT, [key()]);
      return 'done';
    });
    expect(result).toBe('done');
    expect(await tokens()).toBe(before + 2);
  });

  it('does nothing if its work throws, and throws the same', async () => {
    const before = await tokens();
    const fault = new Error('changed my mind');
    const failing = db.transaction(async (tx) => {
      await tx.query(INSERT, [key()]);
      throw fault;
    });
    await expect(failing).rejects.toBe(fault);
    expect(await tokens()).toBe(before);
  });

  it('does nothing if one of its statements fails, and its connection goes on', async () => {
    const before = await tokens();
    const twice = key();
    const failing = db.transaction(async (tx) => {
      await tx.query(INSERT, [twice]);
      await tx.query(INSERT, [twice]);
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect(await tokens()).toBe(before);
    await db.transaction((tx) => tx.query(INSERT, [twice]));
    expect(await tokens()).toBe(before + 1);
  });

  it('survives a connection that is cut, and says that it may be tried again', async () => {
    const before = await tokens();
    const failing = db.transaction(async (tx) => {
      const [row] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await tx.query(INSERT, [key()]);
      await db.query('SELECT pg_terminate_backend($1)', [row!.pid]);
      await tx.query('SELECT 1');
    });
    await expect(failing).rejects.toThrow(StorageUnavailableError);
    expect(await tokens()).toBe(before);
  });
});

describe('errors', () => {
  it('are named where trying again may help', async () => {
    const slow = db.transaction(async (tx) => {
      await tx.query("SET LOCAL statement_timeout = '20ms'");
      await tx.query('SELECT pg_sleep(5)');
    });
    await expect(slow).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', kind: 'unavailable', retryable: true });
  });

  it('are named where the server is not there', async () => {
    const nowhere = new Database({ ...schema.options, host: '127.0.0.1', port: 1 });
    await expect(nowhere.open()).rejects.toThrow(StorageUnavailableError);
    await nowhere.close();
  });

  it('are named after the end', async () => {
    const closed = new Database(schema.options);
    await closed.open();
    await closed.close();
    await expect(closed.query('SELECT 1')).rejects.toThrow(StorageUnavailableError);
    await expect(closed.transaction(async () => 1)).rejects.toThrow(StorageUnavailableError);
  });

  it('stay as they are where the fault is ours', async () => {
    await expect(db.query('SELEKT 1')).rejects.toMatchObject({ code: '42601' });
  });
});

describe('a lock', () => {
  it('is held by one at a time, by its name and schema', async () => {
    const order: string[] = [];
    const other = new Database(schema.options);
    await db
      .withLock('a', async () => {
        const second = other.withLock('a', async () => order.push('second'));
        await other.withLock('b', async () => order.push('another lock'));
        order.push('first');
        return { second };
      })
      .then(({ second }) => second);
    expect(order).toEqual(['another lock', 'first', 'second']);
  });

  it('that is not waited for leaves the work to whoever holds it', async () => {
    const other = new Database(schema.options);
    const done: string[] = [];
    const first = await db.withLockIfFree('c', async () => {
      done.push('first');
      expect(await other.withLockIfFree('c', async () => done.push('second'))).toBe(false);
      expect(await other.withLockIfFree('d', async () => done.push('another lock'))).toBe(true);
    });
    expect(first).toBe(true);
    expect(await other.withLockIfFree('c', async () => done.push('afterwards'))).toBe(true);
    expect(done).toEqual(['first', 'another lock', 'afterwards']);
  });

  it('that is not waited for is free again after work that failed', async () => {
    await expect(db.withLockIfFree('e', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await db.withLockIfFree('e', async () => {})).toBe(true);
  });
});
