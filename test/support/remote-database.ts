import type { QueryResultRow } from 'pg';
import { Database, type Tx } from '../../src/storage/database.js';

/** The database as another process sees it, whose connections can be cut and that can be frozen as by SIGSTOP. */
export class RemoteDatabase extends Database {
  readonly #backends = new Set<number>();
  #thawed: Promise<void> = Promise.resolve();
  thaw: () => void = () => {};

  /** Nothing reaches the database any more until it thaws. */
  freeze(): void {
    this.#thawed = new Promise((resolve) => (this.thaw = resolve));
  }

  /** As a restart of PostgreSQL does it. */
  async cutConnections(db: Database): Promise<void> {
    await db.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [[...this.#backends]]);
  }

  override async query<Row extends QueryResultRow>(...args: Parameters<Database['query']>): Promise<Row[]> {
    await this.#thawed;
    return super.query<Row>(...args);
  }

  override async transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    await this.#thawed;
    return super.transaction(async (tx) => {
      const [backend] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      this.#backends.add(backend!.pid);
      return work(tx);
    });
  }

  override async dedicatedClient(): ReturnType<Database['dedicatedClient']> {
    await this.#thawed;
    const client = await super.dedicatedClient();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    this.#backends.add(rows[0]!.pid);
    return client;
  }
}
