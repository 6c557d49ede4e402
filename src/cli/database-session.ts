import { escapeIdentifier } from 'pg';
import { GatewayError } from '../common/errors.js';
import { Database, type DatabaseOptions, type Queryable } from '../storage/database.js';
import { sqlState, StorageUnavailableError, storageError } from '../storage/errors.js';

const UNDEFINED_TABLE = '42P01';

/** The database is not one that this version has started with. */
class DatabaseNotReadyError extends GatewayError {
  constructor({ cause }: { cause: unknown }) {
    const message = 'The database lacks tables of this version: "dm3-gateway start" makes them.';
    super({ code: 'DATABASE_NOT_READY', kind: 'unavailable', message, cause });
  }
}

/**
 * A connection of one command's own, which migrates nothing: other processes may be running.
 * @throws StorageUnavailableError, DatabaseNotReadyError, and whatever `work` throws
 */
export async function withDatabase<T>(options: DatabaseOptions, work: (db: Queryable) => Promise<T>): Promise<T> {
  const client = await connect(options);
  try {
    await client.query(`SET search_path TO ${escapeIdentifier(options.schema)}`);
    return await work({
      query: async (sql, params = [], name) => (await client.query({ text: sql, values: [...params], name })).rows,
    });
  } catch (error) {
    throw sqlState(error) === UNDEFINED_TABLE ? new DatabaseNotReadyError({ cause: error }) : storageError(error);
  } finally {
    await client.end();
  }
}

/** One command of a kind at a time; the next one waits. @throws as `withDatabase` */
export async function withDatabaseLock<T>(
  options: DatabaseOptions,
  name: string,
  work: (db: Queryable) => Promise<T>,
): Promise<T> {
  return withDatabase(options, async (db) => {
    await db.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [`${options.schema}/${name}`]);
    return work(db); // the lock ends with the connection
  });
}

async function connect(options: DatabaseOptions) {
  try {
    const client = await new Database(options).dedicatedClient();
    return client.on('error', () => {}); // the next query says it
  } catch (cause) {
    const { host, port, database } = options;
    const reason = sqlState((cause as Error).cause) ?? (cause as Error).message;
    const message = `The database ${database} at ${host}:${port} cannot be reached: ${reason}.`;
    throw new StorageUnavailableError({ message, cause });
  }
}
