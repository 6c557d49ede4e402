import { escapeIdentifier, type Client } from 'pg';
import { errorCode } from '../common/errors.js';
import type { EventLog } from '../ops/event-log.js';
import type { Database } from '../storage/database.js';
import { Wake } from './wake.js';

const RECONNECT_MS = 1_000;

/** LISTENs to one channel on a connection of its own, and connects again whenever that is lost. */
export class ChannelListener {
  readonly #stop = new Wake();
  #stopping = false;
  #client: Client | undefined;
  #run: Promise<void> = Promise.resolve();

  /** @param onSignal called with each notification's payload, and with null after each connect: some may be missed */
  constructor(
    private readonly db: Database,
    private readonly channel: string,
    private readonly onSignal: (payload: string | null) => void,
    private readonly log: EventLog,
  ) {}

  start(): void {
    this.#run = this.#listen();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stop.raise();
    await this.#client?.end();
    await this.#run;
  }

  async #listen(): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#listenOnce();
      } catch (error) {
        this.log.warn('database.listen-failed', { code: errorCode(error) });
      }
      await this.#stop.wait(RECONNECT_MS);
    }
  }

  /** Returns when the connection has ended. */
  async #listenOnce(): Promise<void> {
    const client = (this.#client = await this.db.dedicatedClient());
    const ended = new Promise<void>((resolve) => client.once('end', resolve));
    client.on('error', () => {}); // 'end' follows
    client.on('notification', ({ payload = '' }) => this.onSignal(payload));
    try {
      if (this.#stopping) return;
      await client.query(`LISTEN ${escapeIdentifier(this.channel)}`);
      this.onSignal(null);
      await ended;
    } finally {
      await client.end();
    }
  }
}
