import { setTimeout as delay } from 'node:timers/promises';
import { errorCode, GatewayError, isRetryable } from '../../common/errors.js';
import type { NetworkId } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import { killPoint } from '../../ops/kill-points.js';
import { remembered } from '../../ops/remembered.js';
import type { Database } from '../../storage/database.js';
import { SealBrokenError } from '../../storage/errors.js';
import { InboxFullError, OtherServerError } from './errors.js';
import type { MatrixEvent } from './event.js';
import type { EventDelays } from './event-delays.js';
import type { FilePass, InboxItem, InboxStore } from './inbox.store.js';
import { TooFastError } from './limits.js';
import { MemoryBusyError } from './media-budget.js';

/** What is done with an event. Each may run again after a crash: running twice changes nothing. */
export interface EventHandler {
  handle(event: MatrixEvent): Promise<void>;
  /** It failed for good: whoever wrote it is told. */
  fail(event: MatrixEvent, error: unknown): Promise<void>;
}

interface Parts {
  readonly db: Database;
  readonly store: InboxStore;
  readonly handler: EventHandler;
  readonly delays: Pick<EventDelays, 'tell' | 'takeBack'>;
  readonly log: EventLog;
  readonly retrySeconds: number;
  /** How long an event stays with a process that fell silent. */
  readonly leaseSeconds: number;
  /** Events that may wait to be handled. */
  readonly maxWaiting: number;
}

const CONCURRENCY = 16;
/** A file may take a minute: texts of others find a place all the same, and so do files of others. */
const FILES_AT_ONCE = 12;
const FILES_OF_ONE = 4;
/**
 * After a kill the rooms that were under way wait for their leases. They can be short: an event that two processes are
 * at, since one fell silent and came back, is handled twice, which changes nothing.
 */
const LONGEST_LEASE_SECONDS = 10;
const RENEWALS_PER_LEASE = 3;
const POLL_MS = 1_000;
const COUNTED_FOR_MS = 5_000;
const MAX_PAUSE_SECONDS = 300;
/** What passes by itself is tried so long, as everything that goes to Matrix is. */
const EXPIRY_MS = 7 * 86_400_000;
/** A bug does not pass by itself, and what is on another server may never come: the room goes on without the event. */
const FEW_ATTEMPTS = 5;
const NETWORK = 'matrix' as NetworkId;

/**
 * Handles what the homeserver brought: in order inside a room, rooms side by side. What cannot be handled holds up
 * its own room while it may pass, and nobody else.
 */
export class MatrixInbox {
  readonly #running = new Map<string, Promise<void>>();
  readonly #files = new FilesUnderWay();
  #pass: AbortController | null = null;
  #loop: Promise<void> = Promise.resolve();
  #kick: () => void = () => {};
  #kicked = false;

  readonly #leaseSeconds: number;

  readonly #waiting: () => Promise<number>;

  constructor(private readonly parts: Parts) {
    const { db, store, maxWaiting } = parts;
    this.#waiting = remembered(() => store.waiting(db, maxWaiting + 1), COUNTED_FOR_MS);
    this.#leaseSeconds = Math.min(parts.leaseSeconds, LONGEST_LEASE_SECONDS);
  }

  /**
   * Takes responsibility: returns after the commit.
   * @returns how many of them are new
   * @throws InboxFullError, StorageUnavailableError (retry)
   */
  async accept(events: readonly MatrixEvent[]): Promise<number> {
    const { db, store, maxWaiting } = this.parts;
    if (events.length > 0 && (await this.#waiting()) > maxWaiting) throw new InboxFullError();
    const added = events.length === 0 ? 0 : await store.add(db, events);
    killPoint('matrix.accepted');
    if (added > 0) this.wake();
    return added;
  }

  start(): void {
    this.#pass = new AbortController();
    this.#loop = this.#run(this.#pass.signal);
  }

  /** Claims nothing more, and lets what is under way finish. */
  async stop(): Promise<void> {
    this.#pass?.abort();
    this.wake();
    await this.#loop;
    await Promise.all(this.#running.values());
  }

  wake(): void {
    this.#kicked = true;
    this.#kick();
  }

  async #run(stopping: AbortSignal): Promise<void> {
    const renewing = setInterval(() => void this.#renew(), (this.#leaseSeconds * 1_000) / RENEWALS_PER_LEASE).unref();
    while (!stopping.aborted) {
      this.#kicked = false;
      await this.#claim();
      await this.#rest();
    }
    clearInterval(renewing);
  }

  async #rest(): Promise<void> {
    if (this.#kicked) return;
    const timer = new AbortController();
    const kicked = new Promise<void>((resolve) => (this.#kick = resolve));
    await Promise.race([kicked, delay(POLL_MS, undefined, { signal: timer.signal }).catch(() => undefined)]);
    timer.abort();
  }

  async #claim(): Promise<void> {
    const { db, store, log } = this.parts;
    const limit = CONCURRENCY - this.#running.size;
    if (limit <= 0) return;
    try {
      const claimed = await store.claim(db, limit, this.#leaseSeconds, this.#files.pass());
      const tooMany = claimed.filter((item) => !this.#begin(item));
      if (tooMany.length === 0) return;
      const ids = tooMany.map(({ id }) => id);
      await store.release(db, ids);
      this.wake(); // for others: those are passed over now
    } catch (error) {
      log.warn('matrix.claim-failed', { network: NETWORK, code: errorCode(error) });
    }
  }

  /** @returns false if its sender has as many files under way as he may */
  #begin(item: InboxItem): boolean {
    if (!this.#files.add(item)) return false;
    const work = this.#process(item).finally(() => {
      this.#running.delete(item.id);
      this.#files.delete(item);
      this.wake();
    });
    this.#running.set(item.id, work);
    return true;
  }

  async #renew(): Promise<void> {
    const { db, store } = this.parts;
    if (this.#running.size > 0)
      await store.renew(db, [...this.#running.keys()], this.#leaseSeconds).catch(() => undefined);
  }

  /** Never rejects: what could not be written down is left to the lease. */
  async #process(item: InboxItem): Promise<void> {
    const { db, store, log } = this.parts;
    try {
      const code = await this.#handle(item);
      killPoint('matrix.handled');
      if (code !== 'again') await store.settle(db, item.id, code);
    } catch (error) {
      log.warn('matrix.left-to-lease', { id: item.id, network: NETWORK, code: errorCode(error) });
    }
  }

  /** @returns null if all went well, else as `#failed` */
  async #handle(item: InboxItem): Promise<string | null> {
    try {
      const event = item.open();
      await this.parts.handler.handle(event);
      if (item.attempts > 0) await this.parts.delays.takeBack(event);
      return null;
    } catch (error) {
      return this.#failed(item, error);
    }
  }

  /** @returns the code it failed with for good, or `again` */
  async #failed(item: InboxItem, error: unknown): Promise<string> {
    const { db, store, log, retrySeconds } = this.parts;
    const code = errorCode(error);
    const attempt = item.attempts + 1;
    if (error instanceof GatewayError)
      log.info('matrix.event-failed', { id: item.id, network: NETWORK, code, attempt });
    else log.error('matrix.event-failed', { id: item.id, network: NETWORK, code, attempt }, error);
    if (!isOver(item, error)) {
      await store.postpone(db, item.id, code, pauseSeconds(item, error, retrySeconds));
      await this.#tellDelay(item, error);
      return 'again';
    }
    if (!(error instanceof SealBrokenError)) await this.#tell(item, error);
    return code;
  }

  /** Where that fails, the next attempt that does tells him. */
  async #tellDelay(item: InboxItem, error: unknown): Promise<void> {
    const until = new Date(item.receivedAt.getTime() + EXPIRY_MS);
    try {
      await this.parts.delays.tell(item.open(), { error, since: item.receivedAt, until });
    } catch (failure) {
      this.parts.log.warn('matrix.delay-untold', { id: item.id, network: NETWORK, code: errorCode(failure) });
    }
  }

  /** Where the author cannot be told for good, or by a fault of ours, the room goes on all the same. @throws what may pass */
  async #tell(item: InboxItem, error: unknown): Promise<void> {
    try {
      const event = item.open();
      await this.parts.handler.fail(event, error);
      if (item.attempts > 0) await this.parts.delays.takeBack(event);
    } catch (failure) {
      if (failure instanceof GatewayError && isRetryable(failure) && !isLongOver(item)) throw failure;
      this.parts.log.warn('matrix.author-not-told', { id: item.id, network: NETWORK, code: errorCode(failure) });
    }
  }
}

/** How many places events with files hold, and whose. */
class FilesUnderWay {
  readonly #senders: string[] = [];

  /** @returns false where that would be too many */
  add({ fileKey }: InboxItem): boolean {
    if (fileKey === null) return true;
    const { except, none } = this.pass();
    if (none || except.includes(fileKey)) return false;
    this.#senders.push(fileKey);
    return true;
  }

  delete({ fileKey }: InboxItem): void {
    const at = fileKey === null ? -1 : this.#senders.indexOf(fileKey);
    if (at >= 0) this.#senders.splice(at, 1);
  }

  pass(): FilePass {
    const isFull = (sender: string) => this.#senders.filter((each) => each === sender).length >= FILES_OF_ONE;
    return { none: this.#senders.length >= FILES_AT_ONCE, except: [...new Set(this.#senders)].filter(isFull) };
  }
}

function pauseSeconds({ attempts }: InboxItem, error: unknown, retrySeconds: number): number {
  if (error instanceof TooFastError || error instanceof MemoryBusyError) return error.retryAfterSeconds;
  return Math.min(retrySeconds * 2 ** attempts, MAX_PAUSE_SECONDS);
}

/** Whoever could not be told for so long is not told. */
function isLongOver({ receivedAt }: InboxItem): boolean {
  return Date.now() - receivedAt.getTime() > 2 * EXPIRY_MS;
}

function isOver({ attempts, receivedAt }: InboxItem, error: unknown): boolean {
  if (!(error instanceof GatewayError) || error instanceof OtherServerError) return attempts + 1 >= FEW_ATTEMPTS;
  return !isRetryable(error) || Date.now() - receivedAt.getTime() > EXPIRY_MS;
}
