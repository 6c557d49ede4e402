import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestSchema, type TestSchema } from '../../../test/support/database.js';
import { fillTables, readTables, type Tables } from '../../../test/support/filled-tables.js';
import { Database } from '../database.js';
import { migrations } from './index.js';

/** Tables that a later version may empty: what they hold is good for minutes, and is asked for again. */
const MAY_BE_EMPTIED = ['login_challenge', 'notification_code'];
/** Columns that a later version has no use for. One that drops another loses what it held: it has to say so here. */
const DROPPED = ['ghost.key_version', 'outbox_head.lease_until', 'outbox_head.fence', 'outbox_head.holder'];

let schema: TestSchema;
let db: Database | undefined;
beforeEach(async () => void (schema = await createTestSchema('migrations')));
afterEach(async () => {
  await db?.close();
  await schema.drop();
});

/** Brings the tables to a version: the program of that time starts. */
async function start(version: number): Promise<Database> {
  await db?.close();
  db = new Database(schema.options, migrations.slice(0, version));
  await db.open();
  return db;
}

const read = () => readTables(db!, schema.options.schema);
const isDropped = (table: string, column: string) => DROPPED.includes(`${table}.${column}`);

/** Of rows with more columns, what those of `before` had. */
function seenBy(before: Tables, now: Tables): Tables {
  const tables = [...before].map(([table, rows]) => {
    const names = Object.keys(rows[0] ?? {}).filter((name) => !isDropped(table, name));
    return [table, (now.get(table) ?? []).map((row) => pick(row, names))] as const;
  });
  return new Map(tables);
}

function pick(row: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, row[name]]));
}

/** Rows in any order: a column that came in between may have changed it. */
function expectSame(before: Tables, now: Tables): void {
  for (const [table, rows] of seenBy(before, before)) {
    const left = seenBy(before, now).get(table)!;
    if (MAY_BE_EMPTIED.includes(table) && left.length === 0) continue;
    const text = (each: readonly unknown[]) => each.map((row) => JSON.stringify(row)).sort();
    expect([table, text(left)]).toEqual([table, text(rows)]);
  }
}

const VERSIONS = migrations.map((Migration, index) => [new Migration().name, index + 1] as const);
const NEWEST = migrations.length;

describe('Tables filled under', () => {
  it.each(VERSIONS)('%s lose nothing on the way to the newest version, back, and there again', async (_, version) => {
    const before = await fillTables(await start(version), schema.options.schema);
    await start(NEWEST);
    expectSame(before, await read());
    await db!.undoMigrations(NEWEST - version);
    expectSame(before, await read());
    await start(NEWEST);
    expectSame(before, await read());
  });

  it('the newest version can be taken back one by one, each of them made again, and to nothing', async () => {
    await fillTables(await start(NEWEST), schema.options.schema);
    for (let version = NEWEST - 1; version > 0; version -= 1) {
      await db!.undoMigrations(1);
      const kept = await read();
      await start(version + 1);
      expectSame(kept, await read());
      await db!.undoMigrations(1);
    }
    const oldest = await read();
    await start(NEWEST);
    expectSame(oldest, await read());
    await db!.undoMigrations(NEWEST);
    expect(await read()).toEqual(new Map());
    await start(NEWEST);
    expect([...(await read()).values()].flat()).toEqual([]);
  });
});

describe('The rows of this test', () => {
  it('stand in every table and fill every column', async () => {
    const filled = await fillTables(await start(NEWEST), schema.options.schema);
    for (const [table, rows] of filled) {
      expect([table, rows.length]).toEqual([table, 3]);
      const empty = Object.keys(rows[0]!).filter((name) => rows.every((row) => row[name] === null));
      expect([table, empty]).toEqual([table, []]);
    }
    expect(filled.size).toBeGreaterThan(20);
  });

  it('would tell that something is lost', async () => {
    const before = await fillTables(await start(NEWEST), schema.options.schema);
    await db!.query('UPDATE mailbox SET sealed_envelope = sha256(sealed_envelope) WHERE position = 1');
    expect(() => expectSame(before, new Map(before))).not.toThrow();
    const changed = await read();
    expect(() => expectSame(before, changed)).toThrow();
    await db!.query('DELETE FROM admin_token');
    expect(() => expectSame(new Map([['admin_token', before.get('admin_token')!]]), changed)).not.toThrow();
    expect(() => expectSame(new Map([['admin_token', before.get('admin_token')!]]), new Map())).toThrow();
  });
});

describe('A program that is older than the tables', () => {
  it('does not start, says what to do, and leaves them as they are', async () => {
    const before = await fillTables(await start(NEWEST), schema.options.schema);
    const older = new Database(schema.options, migrations.slice(0, -1));
    await expect(older.open()).rejects.toMatchObject({
      code: 'DATABASE_NEWER',
      retryable: false,
      message: expect.stringMatching(/does not know \w+\): run the newer version, or restore the backup/),
    });
    await older.close();
    expect(await read()).toEqual(before);
  });

  it('starts once the newer one has taken its changes back', async () => {
    await start(NEWEST);
    await db!.undoMigrations(1);
    await start(NEWEST - 1);
  });
});
