import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  startPostgres,
  type EmbeddedPostgres,
  type PostgresConnection,
} from '../../../src/sandbox/embedded-postgres.js';
import { removeData } from '../../../src/sandbox/postgres-place.js';

const quiet = () => {};

/** A PostgreSQL of one suite's own, which may be stopped, killed and starved. */
export class OwnPostgres {
  #running: EmbeddedPostgres;

  private constructor(
    running: EmbeddedPostgres,
    private readonly home: string,
    private readonly isHomeOurs: boolean,
  ) {
    this.#running = running;
  }

  /** @param given an empty folder for it alone; a temporary one by default */
  static async start(given?: string): Promise<OwnPostgres> {
    const home = given ?? mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-faults-pg-'));
    chmodSync(home, 0o711); // as root, PostgreSQL's account passes through
    const running = await startPostgres({ dataDir: path.join(home, 'data'), log: quiet });
    return new OwnPostgres(running, home, given === undefined);
  }

  get connection(): PostgresConnection {
    return this.#running.connection;
  }

  /** Ends sessions and starts again. */
  async restart(): Promise<void> {
    await this.#running.stop();
    await this.recover();
  }

  /** No handler runs: its processes find each other dead, and the next start replays the log. */
  async kill(): Promise<void> {
    process.kill(this.#pid(), 'SIGKILL');
  }

  /** Starts it, unless it still answers. */
  async recover(): Promise<void> {
    this.#running = await startPostgres({ dataDir: path.join(this.home, 'data'), log: quiet });
  }

  async stop(): Promise<void> {
    await this.#running.stop();
    removeData(path.join(this.home, 'data'));
    if (this.isHomeOurs) rmSync(this.home, { recursive: true, force: true });
  }

  #pid(): number {
    return Number.parseInt(readFileSync(path.join(this.home, 'data', 'cluster', 'postmaster.pid'), 'utf8'), 10);
  }
}
