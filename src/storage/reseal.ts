import type { Queryable } from './database.js';
import { SealBrokenError } from './errors.js';
import { SEALED_COLUMNS, type SealedColumn } from './sealed-columns.js';
import { KEY_ID_OCTET, SEAL_OCTETS, type Sealer } from './sealer.js';

/** How far a pass has come. */
export interface ResealProgress {
  /** Values sealed anew so far. */
  readonly resealed: number;
  /** 0 to 1. */
  readonly share: number;
}

export interface ResealResult {
  readonly resealed: number;
  /** Values under older keys that somebody was just writing. */
  readonly left: number;
  /** Values that do not open, left as they are. */
  readonly broken: number;
}

/** Pages of a table that are looked through at once: half a megabyte, beside what PostgreSQL keeps out of line. */
const BLOCKS = 64n;
/** What one statement seals anew at most; a single value is sealed whatever its size. */
const STEP_VALUES = 500;
const STEP_BYTES = 8 * 1024 * 1024;

interface Stale {
  readonly key: string | Buffer;
  readonly size: number;
}

interface Span {
  readonly column: SealedColumn;
  readonly from: bigint;
}

/** Number of sealed values by the id of the storage key they are sealed with. Reads every table from end to end. */
export async function countSealed(db: Queryable): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  for (const { column, from } of await allSpans(db)) {
    const sql = `SELECT ${keyIdOf(column)} AS id, count(*)::int AS count FROM ${column.table}
      WHERE ${within(from)} AND ${column.column} IS NOT NULL GROUP BY 1`;
    for (const { id, count } of await db.query<{ id: number; count: number }>(sql)) {
      counts.set(id, (counts.get(id) ?? 0) + count);
    }
  }
  return counts;
}

/**
 * Seals anew whatever is not sealed with the active key: one short statement after the other, each committed by
 * itself, so that a SIGKILL leaves every value readable and the next pass goes on where this one ended. A value that
 * changes meanwhile, or whose row is locked, is left alone: nobody waits, and nobody's change is lost.
 * @throws StorageKeyMissingError if the key of some value is not at hand; StorageUnavailableError
 */
export async function resealPass(
  db: Queryable,
  sealer: Sealer,
  onProgress: (progress: ResealProgress) => void = () => {},
): Promise<ResealResult> {
  const spans = await allSpans(db);
  const total = { resealed: 0, left: 0, broken: 0 };
  for (const [index, span] of spans.entries()) {
    for (const step of stepsOf(await staleIn(db, sealer, span))) {
      const { resealed, broken } = await resealStep(db, sealer, span.column, step);
      total.resealed += resealed;
      total.broken += broken;
      total.left += step.length - resealed - broken;
      onProgress({ resealed: total.resealed, share: index / spans.length });
    }
    onProgress({ resealed: total.resealed, share: (index + 1) / spans.length });
  }
  return total;
}

/** Every sealed column in pieces of its table's pages. Rows that come later are sealed with the active key. */
async function allSpans(db: Queryable): Promise<Span[]> {
  const spans: Span[] = [];
  for (const column of SEALED_COLUMNS) {
    const sql = `SELECT pg_relation_size($1::regclass) / current_setting('block_size')::int AS blocks`;
    const [size] = await db.query<{ blocks: string }>(sql, [column.table]);
    for (let from = 0n; from < BigInt(size!.blocks); from += BLOCKS) spans.push({ column, from });
  }
  return spans;
}

function staleIn(db: Queryable, sealer: Sealer, { column, from }: Span): Promise<Stale[]> {
  const sql = `SELECT ${column.key} AS key, octet_length(${column.column}) AS size FROM ${column.table}
    WHERE ${within(from)} AND ${keyIdOf(column)} <> $1`;
  return db.query<{ key: string | Buffer; size: number }>(sql, [sealer.activeKeyId]);
}

function* stepsOf(stale: readonly Stale[]): Generator<Stale[]> {
  let step: Stale[] = [];
  let bytes = 0;
  for (const value of stale) {
    if (step.length === STEP_VALUES || (step.length > 0 && bytes + value.size > STEP_BYTES)) {
      yield step;
      [step, bytes] = [[], 0];
    }
    step.push(value);
    bytes += value.size;
  }
  if (step.length > 0) yield step;
}

async function resealStep(db: Queryable, sealer: Sealer, column: SealedColumn, step: readonly Stale[]) {
  const { table, key, keyType, column: name } = column;
  const sql = `SELECT ${key} AS key, ${name} AS sealed FROM ${table}
    WHERE ${key} = ANY ($1::${keyType}[]) AND ${keyIdOf(column)} <> $2`;
  const keys = step.map((value) => value.key);
  const rows = await db.query<{ key: string | Buffer; sealed: Buffer }>(sql, [keys, sealer.activeKeyId]);
  const fresh = rows.flatMap((row) => {
    const sealed = resealed(sealer, column, row);
    return sealed ? [{ key: row.key, header: row.sealed.subarray(0, SEAL_OCTETS), sealed }] : [];
  });
  return { resealed: await replace(db, column, fresh), broken: rows.length - fresh.length };
}

/** Null if the value does not open. */
function resealed(
  sealer: Sealer,
  { table, column, row }: SealedColumn,
  value: { key: string | Buffer; sealed: Buffer },
): Buffer | null {
  const place = { table, column, row: row(value.key) };
  try {
    return sealer.seal(place, sealer.open(place, value.sealed));
  } catch (error) {
    if (error instanceof SealBrokenError) return null;
    throw error;
  }
}

/** Only where the value is still the one that was read: its header is like no other's. */
async function replace(
  db: Queryable,
  { table, column, key, keyType }: SealedColumn,
  values: readonly { key: string | Buffer; header: Buffer; sealed: Buffer }[],
): Promise<number> {
  const sql = `WITH held AS (
      SELECT t.${key} AS key, fresh.sealed FROM ${table} t
      JOIN unnest($1::${keyType}[], $2::bytea[], $3::bytea[]) AS fresh (key, header, sealed)
        ON t.${key} = fresh.key AND substr(t.${column}, 1, ${SEAL_OCTETS}) = fresh.header
      FOR NO KEY UPDATE OF t SKIP LOCKED
    ) UPDATE ${table} t SET ${column} = held.sealed FROM held WHERE t.${key} = held.key RETURNING 1`;
  const columns = [
    values.map((value) => value.key),
    values.map(({ header }) => header),
    values.map(({ sealed }) => sealed),
  ];
  return (await db.query(sql, columns)).length;
}

/** Reads the one octet, not the whole value that it belongs to. */
const keyIdOf = ({ column }: SealedColumn) => `get_byte(substr(${column}, ${KEY_ID_OCTET}, 1), 0)`;

const within = (from: bigint) => `ctid >= '(${from},0)'::tid AND ctid < '(${from + BLOCKS},0)'::tid`;
