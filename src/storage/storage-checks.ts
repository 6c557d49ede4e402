import type { Clock } from '../common/clock.js';
import type { Check } from '../ops/doctor/check.js';
import { failure, fine, warning, type Finding } from '../ops/doctor/finding.js';
import type { Queryable } from './database.js';
import { migrations } from './migrations/index.js';
import { countSealed } from './reseal.js';
import { schemaVersion } from './schema-version.js';

interface Parts {
  /** Runs `work` on a connection of its own. @throws StorageUnavailableError */
  readonly connect: <T>(work: (db: Queryable) => Promise<T>) => Promise<T>;
  /** Ids of the storage keys at hand. */
  readonly keyIds: readonly number[];
  readonly poolSize: number;
  readonly clock: Clock;
}

/** Listeners for work, arrivals and presence, the worker's sign of life, and now and then one for the upkeep (docs/database.md). */
export const BESIDE_POOL = 5;

const OLDEST_VERSION = 150_000;
const MAX_SKEW_SECONDS = 5;
const NTP = 'Let both machines keep their clocks with NTP.';

/** Whether the database is one that accepted messages are safe in, and whose contents can be read. */
export function storageChecks({ connect, keyIds, poolSize, clock }: Parts): Check[] {
  const server = async (db: Queryable) => [
    await version(db),
    await connections(db, poolSize + BESIDE_POOL),
    ...(await durability(db)),
    ...(await skew(db, clock)),
  ];
  return [
    { subject: 'database', run: () => connect(server) },
    {
      subject: 'database contents',
      run: () => connect(async (db) => (await isMigrated(db)) ?? [await keys(db, keyIds)]),
    },
  ];
}

async function version(db: Queryable): Promise<Finding> {
  const sql = `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS name`;
  const [server] = await db.query<{ number: number; name: string }>(sql);
  const { number, name } = server!;
  if (number >= OLDEST_VERSION) return fine('DATABASE', `PostgreSQL ${name} answers.`);
  return failure('DATABASE_TOO_OLD', `PostgreSQL ${name} is too old.`, 'Move to PostgreSQL 15 or newer.');
}

/** By the server's limit, the database's and the user's; a superuser's reserve is not counted on. */
async function connections(db: Queryable, wanted: number): Promise<Finding> {
  const sql = `SELECT least(
      (SELECT sum(setting::int * CASE name WHEN 'max_connections' THEN 1 ELSE -1 END)::int FROM pg_settings
        WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')),
      (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
      (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)) AS allowed`;
  const [{ allowed }] = (await db.query<{ allowed: number }>(sql)) as [{ allowed: number }];
  if (allowed >= wanted) {
    const message = `PostgreSQL allows ${allowed} connections: enough for ${Math.floor(allowed / wanted)} processes of at most ${wanted}.`;
    return fine('DATABASE_CONNECTIONS', message);
  }
  return warning(
    'DATABASE_CONNECTIONS',
    `A process opens up to ${wanted} connections, and PostgreSQL allows ${allowed}: requests will be refused under load.`,
    'Raise max_connections (or the limit of the database or user) in PostgreSQL, or lower database.poolSize.',
  );
}

async function durability(db: Queryable): Promise<Finding[]> {
  const sql = `SELECT name FROM pg_settings WHERE (name = 'synchronous_commit' AND setting = 'off')
    OR (name IN ('fsync', 'full_page_writes') AND setting = 'off') ORDER BY name`;
  const off = (await db.query<{ name: string }>(sql)).map(({ name }) => name);
  return off.map((name) =>
    warning(
      'DATABASE_NOT_DURABLE',
      `${name} is off in PostgreSQL: messages we have accepted can be lost when the machine stops.`,
      `Set ${name} = on in postgresql.conf.`,
    ),
  );
}

async function skew(db: Queryable, clock: Clock): Promise<Finding[]> {
  const [server] = await db.query<{ now: number }>('SELECT extract(epoch FROM clock_timestamp())::float8 AS now');
  const seconds = Math.round(Math.abs(server!.now - clock.now() / 1_000));
  if (seconds <= MAX_SKEW_SECONDS) return [];
  return [warning('DATABASE_CLOCK', `The clocks of the database and of this machine are ${seconds} s apart.`, NTP)];
}

/** Null if it is; else what to say about it. */
async function isMigrated(db: Queryable): Promise<Finding[] | null> {
  const { unknown, missing } = await schemaVersion(db, migrations);
  if (unknown.length > 0) {
    const message = `A newer version has changed the database (${unknown.length} migrations that this one does not know).`;
    return [failure('DATABASE_NEWER', message, 'Run the newer version, or restore the backup made before it.')];
  }
  if (missing === 0) return null;
  return [fine('DATABASE_TO_MIGRATE', `The next start makes ${missing} changes to the database's tables.`)];
}

async function keys(db: Queryable, keyIds: readonly number[]): Promise<Finding> {
  const counts = await countSealed(db);
  const lost = [...counts].filter(([id]) => !keyIds.includes(id));
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (lost.length === 0) return fine('STORAGE_KEYS', `All ${total} sealed values can be opened.`);
  const count = lost.reduce((sum, [, each]) => sum + each, 0);
  const ids = lost.map(([id]) => id).join(', ');
  return failure(
    'STORAGE_KEY_MISSING',
    `${count} sealed values need a storage key that is not there (${ids}).`,
    'Put it back into the storage keys, from the backup.',
  );
}
