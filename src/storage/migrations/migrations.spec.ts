import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { expectSame, VersionedTables } from '../../../test/support/versioned-tables.js';
import { Database } from '../database.js';
import { migrations } from './index.js';

let tables: VersionedTables;
beforeEach(async () => void (tables = await VersionedTables.create()));
afterEach(() => tables.drop());

const NEWEST = migrations.length;

describe('Tables filled under', () => {
  it('the newest version can be taken back one by one, each of them made again, and to nothing', async () => {
    await tables.fill(NEWEST);
    for (let version = NEWEST - 1; version > 0; version -= 1) {
      await tables.db.undoMigrations(1);
      const kept = await tables.read();
      await tables.start(version + 1);
      expectSame(kept, await tables.read());
      await tables.db.undoMigrations(1);
    }
    const oldest = await tables.read();
    await tables.start(NEWEST);
    expectSame(oldest, await tables.read());
    await tables.db.undoMigrations(NEWEST);
    expect(await tables.read()).toEqual(new Map());
    await tables.start(NEWEST);
    expect([...(await tables.read()).values()].flat()).toEqual([]);
  });
});

describe('The rows of this test', () => {
  it('stand in every table and fill every column', async () => {
    const filled = await tables.fill(NEWEST);
    for (const [table, rows] of filled) {
      expect([table, rows.length]).toEqual([table, 3]);
      const empty = Object.keys(rows[0]!).filter((name) => rows.every((row) => row[name] === null));
      expect([table, empty]).toEqual([table, []]);
    }
    expect(filled.size).toBeGreaterThan(20);
  });

  it('would tell that something is lost', async () => {
    const before = await tables.fill(NEWEST);
    await tables.db.query('UPDATE mailbox SET sealed_envelope = sha256(sealed_envelope) WHERE position = 1');
    expect(() => expectSame(before, new Map(before))).not.toThrow();
    const changed = await tables.read();
    expect(() => expectSame(before, changed)).toThrow();
    await tables.db.query('DELETE FROM admin_token');
    expect(() => expectSame(new Map([['admin_token', before.get('admin_token')!]]), changed)).not.toThrow();
    expect(() => expectSame(new Map([['admin_token', before.get('admin_token')!]]), new Map())).toThrow();
  });
});

describe('A program that is older than the tables', () => {
  it('does not start, says what to do, and leaves them as they are', async () => {
    const before = await tables.fill(NEWEST);
    const older = new Database(tables.schema.options, migrations.slice(0, -1));
    await expect(older.open()).rejects.toMatchObject({
      code: 'DATABASE_NEWER',
      retryable: false,
      message: expect.stringMatching(/does not know \w+\): run the newer version, or restore the backup/),
    });
    await older.close();
    expect(await tables.read()).toEqual(before);
  });

  it('starts once the newer one has taken its changes back', async () => {
    await tables.start(NEWEST);
    await tables.db.undoMigrations(1);
    await tables.start(NEWEST - 1);
  });
});
