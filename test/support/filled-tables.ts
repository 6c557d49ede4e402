import { createHash } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import type { Queryable } from '../../src/storage/database.js';
import { allowedIn, columnsOf, lengthIn, numbersIn, parentsFirst, type Column } from './catalogue.js';

export type Tables = ReadonlyMap<string, readonly Record<string, unknown>[]>;

/** The last of them has NULL wherever it may. */
const ROWS = 3;

/**
 * Puts rows into every table there is, whatever the migrations have made of them by now: the catalogue says which
 * values a column takes. @returns all rows as they stand in the tables then
 */
export async function fillTables(db: Queryable, schema: string): Promise<Tables> {
  const columns = (await columnsOf(db, schema)).filter(({ isIdentity }) => !isIdentity);
  for (const table of parentsFirst(columns)) {
    const own = columns.filter((column) => column.table === table);
    for (let row = 0; row < ROWS; row += 1) await insert(db, table, await valuesOf(db, own, row));
  }
  return readTables(db, schema);
}

/** Every row of every table as JSON gives it, but for the list of migrations. */
export async function readTables(db: Queryable, schema: string): Promise<Tables> {
  const names = new Set((await columnsOf(db, schema)).map(({ table }) => table));
  const tables = new Map<string, readonly Record<string, unknown>[]>();
  for (const table of names) {
    const sql = `SELECT to_jsonb(t) AS row FROM ${escapeIdentifier(table)} t ORDER BY to_jsonb(t)::text`;
    tables.set(
      table,
      (await db.query<{ row: Record<string, unknown> }>(sql)).map(({ row }) => row),
    );
  }
  return tables;
}

async function insert(db: Queryable, table: string, values: ReadonlyMap<string, unknown>): Promise<void> {
  const names = [...values.keys()].map((name) => escapeIdentifier(name));
  const marks = names.map((_, index) => `$${index + 1}`);
  await db.query(`INSERT INTO ${escapeIdentifier(table)} (${names}) VALUES (${marks})`, [...values.values()]);
}

async function valuesOf(db: Queryable, columns: readonly Column[], row: number): Promise<Map<string, unknown>> {
  const values = new Map<string, unknown>();
  for (const column of columns) {
    const isNull = column.isNullable && row === ROWS - 1;
    values.set(column.name, isNull ? null : await valueOf(db, column, row));
  }
  return values;
}

async function valueOf(db: Queryable, column: Column, row: number): Promise<unknown> {
  return column.refersTo ? referred(db, column.refersTo, row) : invented(column, row);
}

/** Rows go together in pairs: the first with the first. */
async function referred(db: Queryable, { table, column }: NonNullable<Column['refersTo']>, row: number) {
  const name = escapeIdentifier(column);
  const sql = `SELECT ${name} AS value FROM ${escapeIdentifier(table)} ORDER BY ${name} OFFSET $1 LIMIT 1`;
  const [found] = await db.query<{ value: unknown }>(sql, [row]);
  return found!.value;
}

function invented({ table, name, type, checks }: Column, row: number): unknown {
  const digest = createHash('sha256').update(`${table}.${name}.${row}`).digest();
  switch (type) {
    case 'bytea':
      return digest.subarray(0, lengthIn(checks) ?? 32);
    case 'uuid':
      return digest.toString('hex', 0, 16);
    case 'text':
      return allowedIn(checks)[row % Math.max(1, allowedIn(checks).length)] ?? `${name} ${row}`;
    case 'text[]':
      return [`${name} ${row}`];
    case 'jsonb':
      return JSON.stringify({ [name]: row });
    case 'boolean':
      return row % 2 === 0;
    case 'timestamp with time zone':
      return new Date(Date.UTC(2024, row, digest[0]! % 28, digest[1]! % 24));
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'real':
    case 'double precision':
    case 'numeric':
      return numbersIn(checks)[row % Math.max(1, numbersIn(checks).length)] ?? row + 2;
    default:
      throw new Error(`Nobody has said here which values go into ${table}.${name}, of type ${type}.`);
  }
}
