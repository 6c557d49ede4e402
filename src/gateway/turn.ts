import { errorCode } from '../common/errors.js';
import type { EventLog } from '../ops/event-log.js';
import { Wake } from '../outbox/wake.js';
import type { SessionLock } from '../storage/session-lock.js';

export interface TurnOptions {
  readonly lock: SessionLock;
  /** What only one process may do at a time. */
  readonly begin: () => Promise<void>;
  /** Undoes it; also after a `begin` that failed. */
  readonly end: () => Promise<void>;
  readonly network: string;
  readonly log: EventLog;
}

/** How soon a process that stands by notices that it is its turn. */
const LOOK_EVERY_MS = 1_000;
/** For the one before, whose connection may have been cut off a moment ago, to notice that and end. */
const HANDOVER_MS = 3_000;

/**
 * Does something while it is this process's turn, which is while it holds a lock of the database. A holder that loses the
 * lock's connection ends at once, and begins again when the lock is to be had; one that is killed frees it. Whoever takes
 * it over from another waits a little first.
 */
export class Turn {
  readonly #wake = new Wake();
  #state: 'waiting' | 'taking' | 'held' | 'lost' = 'waiting';
  #sawAnother = false;
  #stopping = false;
  #running: Promise<void> = Promise.resolve();

  constructor(private readonly options: TurnOptions) {}

  get isHeld(): boolean {
    return this.#state === 'held';
  }

  /**
   * Resolves once it is this process's turn, or is not within that time; `start` goes on trying then.
   * @throws what `begin` throws
   */
  async take(patienceSeconds: number): Promise<boolean> {
    const deadline = Date.now() + patienceSeconds * 1_000;
    while (!(await this.#tryBegin())) {
      if (Date.now() >= deadline || this.#stopping) return false;
      await this.#wake.wait(LOOK_EVERY_MS);
    }
    return true;
  }

  /** Looks after it from now on: begins when it is our turn, ends when it no longer is. */
  start(): void {
    this.#running = this.#untilStopped();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake.raise();
    await this.#running;
    if (this.#state !== 'waiting') await this.#end();
  }

  async #untilStopped(): Promise<void> {
    while (!this.#stopping) {
      try {
        if (this.#state === 'lost') await this.#end();
        if (this.#state === 'waiting') await this.#tryBegin();
      } catch (error) {
        this.options.log.warn('network.turn-failed', { network: this.options.network, code: errorCode(error) });
      }
      await this.#wake.wait(LOOK_EVERY_MS);
    }
  }

  async #tryBegin(): Promise<boolean> {
    const { lock, begin, network, log } = this.options;
    if (!(await lock.tryAcquire(() => this.#lose()))) {
      this.#sawAnother = true;
      return false;
    }
    this.#state = 'taking';
    if (!(await this.#handedOver())) return false;
    log.info('network.turn-begun', { network });
    try {
      await begin();
    } catch (error) {
      await this.#end();
      throw error;
    }
    return true;
  }

  /** @returns false if it was lost again, or nobody wants it any more */
  async #handedOver(): Promise<boolean> {
    const until = Date.now() + (this.#sawAnother ? HANDOVER_MS : 0);
    while (this.#isOurs() && Date.now() < until) await this.#wake.wait(until - Date.now());
    if (!this.#isOurs()) return false;
    this.#sawAnother = false;
    this.#state = 'held';
    return true;
  }

  #isOurs(): boolean {
    return this.#state === 'taking' && !this.#stopping;
  }

  #lose(): void {
    this.#state = 'lost';
    this.#wake.raise();
  }

  async #end(): Promise<void> {
    const { lock, end, network, log } = this.options;
    try {
      await end();
    } finally {
      this.#state = 'waiting';
      await lock.release();
      log.info('network.turn-ended', { network });
    }
  }
}
