import { DataSource, type DataSourceOptions } from 'typeorm';
import { Client, escapeIdentifier, type Pool, type PoolClient, type QueryResultRow } from 'pg';
import {
  DatabaseNewerError,
  isSilence,
  LOCK_NOT_AVAILABLE,
  sqlState,
  StorageUnavailableError,
  storageError,
} from './errors.js';
import { migrations } from './migrations/index.js';
import { schemaVersion, type Migrations } from './schema-version.js';

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
  /** How long a caller waits for a connection, be it a new one or one that others use. */
  readonly connectSeconds: number;
  /** How long a statement may take, and a transaction may pause between two. */
  readonly statementSeconds: number;
  /** How long a start waits for others: another one that changes the tables, whoever uses those. */
  readonly lockSeconds: number;
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

/** Whoever can open transactions: a process's pool, or the one connection of a command. */
export interface Transactor extends Queryable {
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
}

/** The server gives up first and says so; a connection that stays silent even then is dead. */
const SILENCE_MS = 5_000;
/** A peer that has vanished is noticed although nothing is asked of it. */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 30_000 };
/** The server lets go of the locks of a machine that has vanished within a minute, not after two hours. */
const MISSED_SOON = '-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3';

/**
 * Listens to every connection for as long as it lives. Whoever uses it is told by his next statement that it is gone;
 * but between two users nobody listens for a moment, and an error event that nobody hears ends the process.
 */
const unheard = (): void => {};

/** Connections, transactions and migrations. TypeORM holds the pool; statements are SQL by their table's owner. */
export class Database implements Transactor {
  readonly #source: DataSource;

  /** @param known all that this program knows */
  constructor(
    readonly options: DatabaseOptions,
    private readonly known: Migrations = migrations,
  ) {
    const statementMs = options.statementSeconds * 1_000;
    this.#source = this.#newSource({
      poolSize: options.poolSize,
      serverOptions: { statement_timeout: statementMs, idle_in_transaction_session_timeout: statementMs },
      extra: { query_timeout: statementMs + SILENCE_MS },
    });
  }

  get schema(): string {
    return this.options.schema;
  }

  /** Connects and brings the schema up to date. @throws StorageUnavailableError, DatabaseNewerError */
  async open(): Promise<void> {
    await this.#connect();
    await guarded(async () => {
      await this.#pool().query(`CREATE SCHEMA IF NOT EXISTS ${escapeIdentifier(this.schema)}`);
      await this.withLock('migrate', () => this.#bringUpToDate());
    });
  }

  async close(): Promise<void> {
    if (this.#source.isInitialized) await this.#source.destroy();
  }

  /** Undoes the newest migrations: for the migrations' own tests and for an operator who must go back a version. */
  async undoMigrations(count: number): Promise<void> {
    await this.#migrate(async (source) => {
      for (let left = count; left > 0; left -= 1) await source.undoLastMigration();
    });
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
    const { host, port, user, password, database, ssl, connectSeconds } = this.options;
    const client = new Client({
      host,
      port,
      user,
      password,
      database,
      ssl: ssl ?? false,
      application_name: 'dm3-gateway',
      connectionTimeoutMillis: connectSeconds * 1_000,
      options: MISSED_SOON,
      ...KEEP_ALIVE,
    });
    client.on('error', unheard);
    await guarded(() => client.connect());
    return client;
  }

  /**
   * Holds a cluster-wide lock, named within this schema, while `work` runs.
   * @throws StorageUnavailableError if somebody else holds it for longer than `lockSeconds`
   */
  async withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
    const client = await this.dedicatedClient();
    try {
      await this.#lock(client, `${this.schema}/${name}`);
      return await work();
    } finally {
      await client.end();
    }
  }

  /**
   * Does `work` if nobody else holds the lock right now. The lock is the connection's: it ends with the process, and if
   * the connection is lost, somebody else may begin meanwhile.
   * @returns false if it was left to whoever holds the lock
   */
  async withLockIfFree(name: string, work: () => Promise<unknown>): Promise<boolean> {
    const client = await this.dedicatedClient();
    client.on('error', () => {}); // what the work does itself meets the same trouble
    try {
      const sql = 'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS ours';
      const { rows } = await guarded(() => client.query<{ ours: boolean }>(sql, [`${this.schema}/${name}`]));
      if (rows[0]!.ours) await work();
      return rows[0]!.ours;
    } finally {
      await client.end();
    }
  }

  async #lock(client: Client, name: string): Promise<void> {
    const { lockSeconds } = this.options;
    await client.query(`SET lock_timeout = '${lockSeconds}s'`);
    try {
      await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [name]);
    } catch (cause) {
      if (sqlState(cause) !== LOCK_NOT_AVAILABLE) throw storageError(cause);
      const message = `Another process has held the lock ${name} of the database for ${lockSeconds} s: start again when it is done.`;
      throw new StorageUnavailableError({ message, cause });
    }
  }

  /** A program that is older than the tables does not know what it would leave out of a row. */
  async #bringUpToDate(): Promise<void> {
    const { unknown } = await schemaVersion(this, this.known);
    if (unknown.length > 0) throw new DatabaseNewerError({ schema: this.schema, unknown });
    await this.#migrate((source) => source.runMigrations());
  }

  /**
   * On a connection of their own: building an index may take longer than a statement may. What they wait for, and have
   * all others wait for behind them, is bounded instead: a backup under way keeps hold of every table.
   */
  async #migrate(work: (source: DataSource) => Promise<unknown>): Promise<void> {
    const source = this.#newSource({ poolSize: 1, serverOptions: { lock_timeout: this.options.lockSeconds * 1_000 } });
    await source.initialize();
    try {
      await work(source);
    } catch (cause) {
      if (sqlState(cause) !== LOCK_NOT_AVAILABLE) throw cause;
      const message = `The tables of schema ${this.schema} were in use for ${this.options.lockSeconds} s and were not changed: start again when the backup, or whatever else reads them, is done.`;
      throw new StorageUnavailableError({ message, cause });
    } finally {
      await source.destroy();
    }
  }

  #newSource({ serverOptions, extra, poolSize }: SourceOptions): DataSource {
    const { host, port, user, password, database, schema, ssl, connectSeconds } = this.options;
    const settings = Object.entries({ search_path: schema, ...serverOptions });
    return new DataSource({
      type: 'postgres',
      host,
      port,
      username: user,
      password,
      database,
      schema,
      ssl: ssl ?? false,
      poolSize,
      applicationName: 'dm3-gateway',
      installExtensions: false,
      migrations: [...this.known],
      migrationsTransactionMode: 'each',
      extra: {
        connectionTimeoutMillis: connectSeconds * 1_000,
        options: settings.map(([name, value]) => `-c ${name}=${value}`).join(' '),
        onConnect: (client: Client) => void client.on('error', unheard),
        ...KEEP_ALIVE,
        ...extra,
      },
    } satisfies DataSourceOptions);
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

interface SourceOptions {
  readonly poolSize: number;
  /** Settings of its sessions on the server; times in milliseconds. */
  readonly serverOptions: Readonly<Record<string, number>>;
  /** For the driver. */
  readonly extra?: object;
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
    if (isSilence(error)) broken ??= error;
    else await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
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
