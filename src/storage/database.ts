import { DataSource } from 'typeorm';
import { Client, escapeIdentifier, type Pool, type PoolClient, type QueryResultRow } from 'pg';
import { sqlState, StorageUnavailableError, storageError } from './errors.js';
import { migrations } from './migrations/index.js';

export interface DatabaseOptions {
  /** A host name, or the directory of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly database: string;
  /** Everything lives in it; channel and lock names carry it. */
  readonly schema: string;
  readonly poolSize: number;
  readonly ssl?: boolean;
}

/** Runs SQL. `name` makes it a prepared statement, which pays on hot paths. */
export interface Queryable {
  query<Row extends QueryResultRow>(sql: string, params?: readonly unknown[], name?: string): Promise<Row[]>;
}

/** An open transaction; whoever gets one may write, and never waits for the network while holding it. */
export interface Tx extends Queryable {
  readonly inTransaction: true;
  /** Called once the transaction is committed, never if it is rolled back; nobody waits for what it starts. */
  afterCommit(work: (db: Queryable) => void): void;
}

const STATEMENT_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;

/** Connections, transactions and migrations. TypeORM holds the pool; statements are SQL by their table's owner. */
export class Database implements Queryable {
  readonly #source: DataSource;

  constructor(readonly options: DatabaseOptions) {
    this.#source = new DataSource({
      type: 'postgres',
      host: options.host,
      port: options.port,
      username: options.user,
      password: options.password,
      database: options.database,
      schema: options.schema,
      ssl: options.ssl ?? false,
      poolSize: options.poolSize,
      applicationName: 'dm3-gateway',
      installExtensions: false,
      migrations,
      migrationsTransactionMode: 'each',
      extra: {
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        options: [
          `-c search_path=${options.schema}`,
          `-c statement_timeout=${STATEMENT_TIMEOUT_MS}`,
          `-c idle_in_transaction_session_timeout=${STATEMENT_TIMEOUT_MS}`,
        ].join(' '),
      },
    });
  }

  get schema(): string {
    return this.options.schema;
  }

  /** Connects and brings the schema up to date. @throws StorageUnavailableError */
  async open(): Promise<void> {
    await this.#connect();
    await guarded(async () => {
      await this.#pool().query(`CREATE SCHEMA IF NOT EXISTS ${escapeIdentifier(this.schema)}`);
      await this.withLock('migrate', () => this.#source.runMigrations());
    });
  }

  async close(): Promise<void> {
    if (this.#source.isInitialized) await this.#source.destroy();
  }

  /** Undoes the newest migration: for the migrations' own tests and for an operator who must go back a version. */
  async undoLastMigration(): Promise<void> {
    await this.#source.undoLastMigration();
  }

  async query<Row extends QueryResultRow>(sql: string, params: readonly unknown[] = [], name?: string): Promise<Row[]> {
    const result = await guarded(() => this.#pool().query<Row>({ text: sql, values: [...params], name }));
    return result.rows;
  }

  /** Commits what `work` did, or nothing. @throws StorageUnavailableError, and whatever `work` throws */
  async transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return guarded(async () => {
      const client = await this.#pool().connect();
      return runTransaction(client, work, this);
    });
  }

  /** A connection of its own for LISTEN or for an advisory lock; the caller ends it. */
  async dedicatedClient(): Promise<Client> {
    const { host, port, user, password, database, ssl } = this.options;
    const client = new Client({
      host,
      port,
      user,
      password,
      database,
      ssl: ssl ?? false,
      application_name: 'dm3-gateway',
    });
    await guarded(() => client.connect());
    return client;
  }

  /** Holds a cluster-wide lock, named within this schema, while `work` runs. */
  async withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
    const client = await this.dedicatedClient();
    try {
      await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [`${this.schema}/${name}`]);
      return await work();
    } finally {
      await client.end();
    }
  }

  /** Whoever starts the process reads this error and can act on its cause. */
  async #connect(): Promise<void> {
    const { host, port, user, database } = this.options;
    try {
      await this.#source.initialize();
    } catch (cause) {
      const reason = (cause as Error).message || sqlState(cause);
      const message = `PostgreSQL at ${host}:${port} does not let ${user} into the database ${database}: ${reason}.`;
      throw new StorageUnavailableError({ message, cause });
    }
  }

  #pool(): Pool {
    const { master } = this.#source.driver as unknown as { master?: Pool };
    if (!master) throw new StorageUnavailableError({ cause: new Error('The database is not open.') });
    return master;
  }
}

async function runTransaction<T>(client: PoolClient, work: (tx: Tx) => Promise<T>, db: Queryable): Promise<T> {
  const committed: ((db: Queryable) => void)[] = [];
  const tx: Tx = {
    inTransaction: true,
    afterCommit: (follow) => void committed.push(follow),
    query: async (sql, params = [], name) => (await client.query({ text: sql, values: [...params], name })).rows,
  };
  let broken: Error | undefined;
  const onLost = (error: Error): void => void (broken = error);
  client.on('error', onLost); // a connection that is cut in between says so here; unheard, it would end the process
  try {
    await client.query('BEGIN');
    const result = await work(tx);
    await client.query('COMMIT');
    for (const follow of committed) follow(db);
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
    throw error;
  } finally {
    if (!broken) client.off('error', onLost); // a broken one may report its end late
    client.release(broken); // a connection whose rollback failed is in an unknown state: it is closed, not reused
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error);
  }
}
