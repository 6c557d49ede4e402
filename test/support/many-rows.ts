import { escapeIdentifier } from 'pg';
import type { Queryable } from '../../src/storage/database.js';
import { allowedIn, columnsOf, lengthIn, numbersIn, parentsFirst, type Column } from './catalogue.js';

/** Identities of these rows, out of the way of those that the database gives out. */
const FIRST_IDENTITY = 1_000_000;
/** Times are an hour apart, all past; but of what is yet to come only so many of the last are. */
const YET_TO_COME = /expires|until|next|retry|notice/;
const OVERDUE = 200;
/** So many accounts, networks and the like have the rows. */
const OWNERS = 200;
/** One row in so many has NULL where it may. */
const RARELY = 10;
/** One in so many is true: what a flag marks is what somebody has yet to do. */
const HARDLY = 100;

/**
 * Fills every table with made-up rows, whatever the migrations have made of them by now, and has PostgreSQL look at
 * them: planners choose by what is there. Nobody can open what they hold.
 */
export async function fillWithMany(db: Queryable, schema: string, rows: number): Promise<void> {
  const columns = await columnsOf(db, schema);
  for (const table of parentsFirst(columns)) {
    const own = columns.filter((column) => column.table === table);
    const names = own.map(({ name }) => escapeIdentifier(name));
    const values = own.map((column) => valueOf(columns, column, rows));
    await db.query(
      `INSERT INTO ${escapeIdentifier(table)} (${names}) OVERRIDING SYSTEM VALUE
       SELECT ${values} FROM generate_series(1, ${rows}) AS n ON CONFLICT DO NOTHING`,
    );
  }
  for (const table of parentsFirst(columns)) await db.query(`VACUUM ANALYZE ${escapeIdentifier(table)}`);
}

/** The n-th row of a table refers to the n-th of the other. */
function valueOf(columns: readonly Column[], column: Column, rows: number): string {
  const target = column.refersTo;
  const parent = target && columns.find(({ table, name }) => table === target.table && name === target.column)!;
  const value = invented(parent ?? column, rows);
  return column.isNullable && !column.isUnique ? `CASE WHEN n % ${RARELY} > 0 THEN ${value} END` : value;
}

function invented(column: Column, rows: number): string {
  const { table, name, type, checks, isUnique } = column;
  const digest = (n: string) => `sha256(convert_to('${table}.${name}.' || ${n}, 'UTF8'))`;
  const length = lengthIn(checks);
  const allowed = allowedIn(checks);
  switch (type) {
    case 'bytea':
      return length === undefined ? digest('n') : `substr(${digest(isUnique ? 'n' : `n % ${OWNERS}`)}, 1, ${length})`;
    case 'uuid':
      return `encode(substr(${digest('n')}, 1, 16), 'hex')::uuid`;
    case 'text':
      return allowed.length > 0
        ? `('{${allowed.join(',')}}'::text[])[1 + n % ${allowed.length}]`
        : `'${name} ' || n${isUnique ? '' : ` % ${OWNERS}`}`;
    case 'text[]':
      return `ARRAY['${name}']`;
    case 'jsonb':
      return `jsonb_build_object('${name}', n)`;
    case 'boolean':
      return `n % ${HARDLY} = 0`;
    case 'timestamp with time zone':
      return YET_TO_COME.test(name)
        ? `now() + make_interval(hours => ${rows - OVERDUE} - n)`
        : `now() - make_interval(hours => n)`;
    default:
      return column.isIdentity ? `${FIRST_IDENTITY} + n` : numbered(checks);
  }
}

function numbered(checks: readonly string[]): string {
  const allowed = numbersIn(checks);
  return allowed.length > 0 ? `(ARRAY[${allowed}])[1 + n % ${allowed.length}]` : 'n + 2';
}
