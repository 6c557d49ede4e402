import { escapeIdentifier } from 'pg';
import type { Queryable } from '../../src/storage/database.js';
import { allowedIn, columnsOf, lengthIn, numbersIn, parentsFirst, type Column } from './catalogue.js';

/** Identities of these rows, out of the way of those that the database gives out. */
const FIRST_IDENTITY = 1_000_000;
/** Times are an hour apart, the latest so far ahead. */
const FUTURE_HOURS = 1_000;
/** So many accounts, networks and the like have the rows. */
const OWNERS = 200;
/** One row in so many has NULL where it may, or is true. */
const RARELY = 10;

/**
 * Fills every table with made-up rows, whatever the migrations have made of them by now, and has PostgreSQL look at
 * them: planners choose by what is there. Nobody can open what they hold.
 */
export async function fillWithMany(db: Queryable, schema: string, rows: number): Promise<void> {
  const columns = await columnsOf(db, schema);
  for (const table of parentsFirst(columns)) {
    const own = columns.filter((column) => column.table === table);
    const names = own.map(({ name }) => escapeIdentifier(name));
    const values = own.map((column) => valueOf(columns, column));
    await db.query(
      `INSERT INTO ${escapeIdentifier(table)} (${names}) OVERRIDING SYSTEM VALUE
       SELECT ${values} FROM generate_series(1, ${rows}) AS n ON CONFLICT DO NOTHING`,
    );
  }
  for (const table of parentsFirst(columns)) await db.query(`VACUUM ANALYZE ${escapeIdentifier(table)}`);
}

/** The n-th row of a table refers to the n-th of the other. */
function valueOf(columns: readonly Column[], column: Column): string {
  const target = column.refersTo;
  const parent = target && columns.find(({ table, name }) => table === target.table && name === target.column)!;
  const value = invented(parent ?? column);
  return column.isNullable && !column.isUnique ? `CASE WHEN n % ${RARELY} > 0 THEN ${value} END` : value;
}

function invented(column: Column): string {
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
      return `n % ${RARELY} = 0`;
    case 'timestamp with time zone':
      return `now() + make_interval(hours => ${FUTURE_HOURS} - n)`;
    default:
      return column.isIdentity ? `${FIRST_IDENTITY} + n` : numbered(checks);
  }
}

function numbered(checks: readonly string[]): string {
  const allowed = numbersIn(checks);
  return allowed.length > 0 ? `(ARRAY[${allowed}])[1 + n % ${allowed.length}]` : 'n + 2';
}
