import type { QueryResultRow } from 'pg';
import type { MigrationInterface } from 'typeorm';

/** Oldest first. */
export type Migrations = readonly (new () => MigrationInterface & { readonly name: string })[];

export interface SchemaVersion {
  /** Names of migrations that the tables have had and this program does not know. */
  readonly unknown: readonly string[];
  /** How many of those it knows they have not had. */
  readonly missing: number;
}

/** Any connection with the schema in its search path. */
interface Asked {
  query<Row extends QueryResultRow>(sql: string): Promise<Row[]>;
}

/** How the tables stand to a program. */
export async function schemaVersion(db: Asked, known: Migrations): Promise<SchemaVersion> {
  const [found] = await db.query<{ exists: boolean }>(`SELECT to_regclass('migrations') IS NOT NULL AS exists`);
  const done = found!.exists ? await db.query<{ name: string }>('SELECT name FROM migrations ORDER BY id') : [];
  const names = new Set(known.map((Migration) => new Migration().name));
  const unknown = done.flatMap(({ name }) => (names.has(name) ? [] : [name]));
  return { unknown, missing: names.size - (done.length - unknown.length) };
}
