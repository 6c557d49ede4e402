import { escapeIdentifier, type Client } from 'pg';
import type { Statement } from './recorded-statements.js';

/** How PostgreSQL would run a statement. */
export interface Plan {
  readonly statement: Statement;
  /** Tables that it would read from end to end, be it through an index of all their rows. */
  readonly scanned: readonly string[];
  /** Indexes that it would look things up in, or find a conflict by. */
  readonly indexes: readonly string[];
}

interface Node {
  readonly 'Node Type': string;
  readonly 'Parent Relationship'?: string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly 'Conflict Arbiter Indexes'?: readonly string[];
  readonly Plans?: readonly Node[];
}

/**
 * Plans for each statement, with what it was given, as though every table held `times` as many rows; a change of the
 * schema by `change` is undone afterwards, as is everything else.
 */
export async function plansOf(
  client: Client,
  statements: readonly Statement[],
  { times, change }: { times: number; change?: string },
): Promise<Plan[]> {
  await client.query('BEGIN');
  try {
    if (change) await client.query(change);
    await client.query(
      `UPDATE pg_class SET reltuples = reltuples * $1 WHERE relnamespace = current_schema()::regnamespace
       AND relkind IN ('r', 'i') AND reltuples > 0`,
      [times],
    );
    const plans: Plan[] = [];
    const partial = await partialIndexes(client);
    for (const statement of statements) plans.push(await planOf(client, statement, partial));
    return plans;
  } finally {
    await client.query('ROLLBACK');
  }
}

/** Those of some rows only: to read one of them from end to end is what it is for. */
async function partialIndexes(client: Client): Promise<Set<string>> {
  const sql = `SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indpred IS NOT NULL AND c.relnamespace = current_schema()::regnamespace`;
  return new Set((await client.query<{ name: string }>(sql)).rows.map(({ name }) => name));
}

async function planOf(client: Client, statement: Statement, partial: ReadonlySet<string>): Promise<Plan> {
  const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${statement.sql}`, [...statement.params]);
  const [{ Plan: root }] = rows[0]['QUERY PLAN'] as [{ Plan: Node }];
  const indexes = allOf(root).flatMap((node) => [
    ...(node['Index Name'] ? [node['Index Name']] : []),
    ...(node['Conflict Arbiter Indexes'] ?? []),
  ]);
  return { statement, scanned: scannedIn(root, partial), indexes };
}

function allOf(node: Node): Node[] {
  return [node, ...(node.Plans ?? []).flatMap(allOf)];
}

/** Whoever reads an index in its order, and only until there is enough, does not read it all. */
function scannedIn(node: Node, partial: ReadonlySet<string>, isLimited = false): string[] {
  const below = (node.Plans ?? []).flatMap((child) => scannedIn(child, partial, handsOnLimit(node, child, isLimited)));
  const isWhole = node['Node Type'] === 'Seq Scan' || (isWholeIndex(node, partial) && !isLimited);
  return isWhole ? [node['Relation Name']!, ...below] : below;
}

function isWholeIndex(node: Node, partial: ReadonlySet<string>): boolean {
  return /^Index (Only )?Scan/.test(node['Node Type']) && !node['Index Cond'] && !partial.has(node['Index Name']!);
}

function handsOnLimit({ 'Node Type': type }: Node, child: Node, isLimited: boolean): boolean {
  if (type === 'Limit') return true;
  return isLimited && (type === 'LockRows' || (type === 'Nested Loop' && child['Parent Relationship'] === 'Outer'));
}

/** What is to be true of the plans. */
export interface Expected {
  /** Indexes without which something reads a whole table, or another index's larger part. */
  readonly needed: readonly string[];
  /** Tables that stay small, however much comes and goes. */
  readonly small: readonly string[];
  /** Statements that have to look at everything. */
  readonly readAll: readonly RegExp[];
  /** Prepared statements, and what each goes by. */
  readonly by: Readonly<Record<string, readonly string[]>>;
}

/** Everything that is not as expected, in words. */
export function troublesIn(all: readonly Plan[], { needed, small, readAll, by }: Expected): string[] {
  const used = new Set(all.flatMap(({ indexes }) => indexes));
  const unused = needed.filter((index) => !used.has(index)).map((index) => `nothing uses ${index}`);
  const scans = all.flatMap(({ scanned, statement: { sql } }) =>
    scanned
      .filter((table) => !small.includes(table) && !readAll.some((allowed) => allowed.test(sql)))
      .map((table) => `all of ${table} is read by ${sql.replace(/\s+/g, ' ')}`),
  );
  const elsewhere = Object.entries(by).flatMap(([name, indexes]) => {
    const own = all.filter(({ statement }) => statement.name === name);
    if (own.length === 0) return [`${name} is not asked any more`];
    return own.every((plan) => indexes.every((index) => plan.indexes.includes(index)))
      ? []
      : [`${name} goes elsewhere`];
  });
  return [...unused, ...scans, ...elsewhere];
}

/** SQL that takes an index away; a constraint's index goes with it. */
export async function droppingOf(client: Client, index: string): Promise<string> {
  const sql = `SELECT conrelid::regclass::text AS table FROM pg_constraint
    WHERE conindid = $1::regclass AND contype IN ('p', 'u')`;
  const [constraint] = (await client.query<{ table: string }>(sql, [index])).rows;
  const name = escapeIdentifier(index);
  return constraint ? `ALTER TABLE ${constraint.table} DROP CONSTRAINT ${name} CASCADE` : `DROP INDEX ${name}`;
}
