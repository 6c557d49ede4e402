import type { Queryable } from '../../src/storage/database.js';

/** What the catalogue says of a column. */
export interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly isNullable: boolean;
  readonly isIdentity: boolean;
  /** Alone: no two rows have the same. */
  readonly isUnique: boolean;
  /** Definitions of the CHECKs that it is in. */
  readonly checks: readonly string[];
  /** Null if it refers to no other table. */
  readonly refersTo: { readonly table: string; readonly column: string } | null;
}

/** Of all tables but the list of migrations; generated columns are left out. */
export async function columnsOf(db: Queryable, schema: string): Promise<Column[]> {
  const constraints = (type: string) => `SELECT %, conrelid, unnest(conkey) AS attnum FROM pg_constraint
    WHERE contype = '${type}'`;
  const checks = constraints('c').replace('%', 'pg_get_constraintdef(oid) AS definition');
  const references = constraints('f').replace('%', 'confrelid, unnest(confkey) AS target');
  return db.query<Column & Record<string, unknown>>(
    `SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, NULL) AS type,
       NOT a.attnotnull AS "isNullable", a.attidentity <> '' AS "isIdentity",
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL
         AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum) AS "isUnique",
       array(SELECT definition FROM (${checks}) k WHERE k.conrelid = c.oid AND k.attnum = a.attnum) AS checks,
       (SELECT jsonb_build_object('table', t.relname, 'column', f.attname) FROM (${references}) r
          JOIN pg_class t ON t.oid = r.confrelid
          JOIN pg_attribute f ON f.attrelid = r.confrelid AND f.attnum = r.target
          WHERE r.conrelid = c.oid AND r.attnum = a.attnum LIMIT 1) AS "refersTo"
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND c.relname <> 'migrations' AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attgenerated = ''
     ORDER BY c.relname, a.attnum`,
    [schema],
  );
}

/** Tables, each after those it refers to. */
export function parentsFirst(columns: readonly Column[]): string[] {
  const order: string[] = [];
  const visit = (table: string): void => {
    if (order.includes(table)) return;
    const own = columns.filter((column) => column.table === table);
    for (const { refersTo } of own) if (refersTo && refersTo.table !== table) visit(refersTo.table);
    order.push(table);
  };
  for (const { table } of columns) visit(table);
  return order;
}

/** How many octets a CHECK wants. */
export const lengthIn = (checks: readonly string[]) => {
  const length = checks.map((check) => /octet_length\(\w+\) = (\d+)/.exec(check)?.[1]).find(Boolean);
  return length === undefined ? undefined : Number(length);
};

/** The numbers that a CHECK allows: `x = ANY (ARRAY[0, 1])`. */
export const numbersIn = (checks: readonly string[]) =>
  checks.flatMap((check) => /ARRAY\[([\d, ]+)\]/.exec(check)?.[1]!.split(', ').map(Number) ?? []);

/** The texts that a CHECK allows. PostgreSQL shows `x IN ('a', 'b')` as `x = ANY (ARRAY['a'::text, 'b'::text])`. */
export const allowedIn = (checks: readonly string[]) =>
  checks.flatMap((check) => [...check.matchAll(/'([^']*)'::text/g)].map(([, value]) => value!));
