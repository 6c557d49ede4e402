import { expect } from '@jest/globals';
import { Database } from '../../src/storage/database.js';
import { migrations } from '../../src/storage/migrations/index.js';
import { createTestSchema, type TestSchema } from './database.js';
import { fillTables, readTables, type Tables } from './filled-tables.js';

/** Tables that a later version may empty: what they hold is good for minutes, and is asked for again. */
const MAY_BE_EMPTIED = ['login_challenge', 'notification_code'];
/** Columns that a later version has no use for. One that drops another loses what it held: it has to say so here. */
const DROPPED = ['ghost.key_version', 'outbox_head.lease_until', 'outbox_head.fence', 'outbox_head.holder'];

/** Tables that are brought from version to version: a version is the number of migrations they have had. */
export class VersionedTables {
  #db: Database | undefined;

  private constructor(readonly schema: TestSchema) {}

  static async create(): Promise<VersionedTables> {
    return new VersionedTables(await createTestSchema('migrations'));
  }

  get db(): Database {
    return this.#db!;
  }

  /** The program of that time starts. */
  async start(version: number): Promise<void> {
    await this.#db?.close();
    this.#db = new Database(this.schema.options, migrations.slice(0, version));
    await this.#db.open();
  }

  /** Rows in every table of that version. */
  async fill(version: number): Promise<Tables> {
    await this.start(version);
    return fillTables(this.db, this.schema.options.schema);
  }

  read(): Promise<Tables> {
    return readTables(this.db, this.schema.options.schema);
  }

  async drop(): Promise<void> {
    await this.#db?.close();
    await this.schema.drop();
  }
}

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
export function expectSame(before: Tables, now: Tables): void {
  const after = seenBy(before, now);
  for (const [table, rows] of seenBy(before, before)) {
    const left = after.get(table)!;
    if (MAY_BE_EMPTIED.includes(table) && left.length === 0) continue;
    const text = (each: readonly unknown[]) => each.map((row) => JSON.stringify(row)).sort();
    expect([table, text(left)]).toEqual([table, text(rows)]);
  }
}
