import type { Client } from 'pg';
import type { Database } from './database.js';
import { storageError } from './errors.js';

/** The holder finds out first that its connection is dead, the server frees the lock later. */
const BEAT_MS = 3_000;
const BEAT_PATIENCE_MS = 5_000;
const SERVER_KEEP_ALIVE = { tcp_keepalives_idle: 15, tcp_keepalives_interval: 5, tcp_keepalives_count: 3 };

/**
 * A lock of the whole schema that one process holds until it lets go or its connection ends, as after a SIGKILL. Whoever
 * holds it is told when the connection is lost: the lock is gone then, or about to go.
 */
export class SessionLock {
  #client: Client | undefined;
  #beat: NodeJS.Timeout | undefined;

  constructor(
    private readonly db: Database,
    private readonly name: string,
  ) {}

  /**
   * @param onLost called once, unless the lock is released before
   * @returns false if somebody else holds it
   * @throws StorageUnavailableError
   */
  async tryAcquire(onLost: () => void): Promise<boolean> {
    const client = await this.db.dedicatedClient();
    client.on('error', () => {}); // 'end' follows
    if (!(await this.#tryLock(client))) {
      await client.end();
      return false;
    }
    this.#client = client;
    client.once('end', () => this.#end(client, onLost));
    this.#beat = setInterval(() => void this.#prove(client), BEAT_MS);
    return true;
  }

  async release(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    clearInterval(this.#beat);
    await client?.end().catch(() => {});
  }

  async #tryLock(client: Client): Promise<boolean> {
    try {
      for (const [name, value] of Object.entries(SERVER_KEEP_ALIVE)) await client.query(`SET ${name} = ${value}`);
      const sql = 'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked';
      const { rows } = await client.query<{ locked: boolean }>(sql, [`${this.db.schema}/${this.name}`]);
      return rows[0]!.locked;
    } catch (error) {
      await client.end().catch(() => {});
      throw storageError(error);
    }
  }

  /** A peer that vanished says nothing: whoever does not answer in time is gone. */
  async #prove(client: Client): Promise<void> {
    const silent = setTimeout(() => client.connection.stream.destroy(), BEAT_PATIENCE_MS);
    await client.query('SELECT 1').catch(() => client.connection.stream.destroy());
    clearTimeout(silent);
  }

  #end(client: Client, onLost: () => void): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    clearInterval(this.#beat);
    onLost();
  }
}
