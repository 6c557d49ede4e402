import { escapeIdentifier, type Client } from 'pg';
import { GatewayError } from '../common/errors.js';
import { Database, type DatabaseOptions, type Queryable, type Transactor, type Tx } from '../storage/database.js';
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
  return withTransactions(options, work);
}

/** The same for commands that change several things together. */
export async function withTransactions<T>(options: DatabaseOptions, work: (db: Transactor) => Promise<T>): Promise<T> {
  const client = await connect(options);
  try {
    await client.query(`SET search_path TO ${escapeIdentifier(options.schema)}`);
    return await work(transactorOn(client));
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

function transactorOn(client: Client): Transactor {
  const query: Queryable['query'] = async (sql, params = [], name) =>
    (await client.query({ text: sql, values: [...params], name })).rows;
  return { query, transaction: (work) => runTransaction(query, work) };
}

/** What is to follow a commit is waited for: the connection ends with the command. */
async function runTransaction<T>(query: Queryable['query'], work: (tx: Tx) => Promise<T>): Promise<T> {
  const committed: ((db: Queryable) => void)[] = [];
  const pending: Promise<unknown>[] = [];
  const tracked: Queryable = { query: (...args) => remembered(query(...args) as Promise<never>, pending) };
  await query('BEGIN');
  try {
    const result = await work({ inTransaction: true, query, afterCommit: (follow) => void committed.push(follow) });
    await query('COMMIT');
    for (const follow of committed) follow(tracked);
    await Promise.allSettled(pending);
    return result;
  } catch (error) {
    await query('ROLLBACK').catch(() => undefined); // the first error is the one to be told
    throw error;
  }
}

function remembered<T>(work: Promise<T>, all: Promise<unknown>[]): Promise<T> {
  all.push(work);
  return work;
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
