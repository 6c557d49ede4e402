import { randomUUID } from 'node:crypto';
import { errorCode } from '../../common/errors.js';
import type { NetworkId } from '../../common/ids.js';
import type { AdapterHealth } from '../../gateway/adapter/adapter.js';
import type { EventLog } from '../../ops/event-log.js';
import type { MatrixApi } from './api.js';
import { HomeserverError } from './errors.js';

interface Parts {
  readonly api: Pick<MatrixApi, 'ping'>;
  readonly registrationId: string;
  readonly log: EventLog;
  /** Between two times that nobody had a reason for. */
  readonly everyMs?: number;
}

const FIRST_MS = 100;
const MAX_PAUSE_MS = 60_000;
const EVERY_MS = 180_000;
const NETWORK = 'matrix' as NetworkId;

/**
 * Tells the homeserver that we are here: one that had given us up for a while delivers what waits, and its call back
 * shows that it reaches us. Repeated until it succeeds, every few minutes from then on, and whenever a call to the
 * homeserver has failed or comes through again; what came of it is the health.
 */
export class Introduction {
  #timer: NodeJS.Timeout | undefined;
  #failure: unknown = null;
  #isFirst = true;
  #isTrying = false;
  /** For a reason: more of them do not put it off. */
  #isDue = false;
  #stopped = false;

  constructor(private readonly parts: Parts) {}

  /** Our own door opens just after this: the first try comes a moment later. */
  start(): void {
    this.#in(FIRST_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  health(): AdapterHealth {
    if (this.#failure === null) return { status: 'up' };
    const detail = `The homeserver and the gateway do not reach each other: ${errorCode(this.#failure)}.`;
    return { status: 'degraded', detail };
  }

  /** What came of any call to the homeserver. @param error null where it answered as it should */
  noticed(error: HomeserverError | null): void {
    if (this.#isTrying || isCut(error) === isCut(this.#failure)) return;
    if (this.#failure === null) this.#failed(error);
    else if (!isCut(this.#failure)) return; // it does not reach us, which other calls say nothing about
    if (!this.#isDue) this.#in(FIRST_MS);
    this.#isDue = true;
  }

  #in(pauseMs: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#try(pauseMs), pauseMs).unref();
  }

  async #try(pauseMs: number): Promise<void> {
    const { api, registrationId, everyMs = EVERY_MS } = this.parts;
    const wasWell = this.#failure === null && !this.#isFirst;
    this.#isTrying = true;
    this.#isDue = false;
    try {
      await api.ping(registrationId, randomUUID());
      this.#succeeded();
      this.#in(everyMs);
    } catch (error) {
      this.#failed(error);
      this.#in(wasWell ? FIRST_MS : Math.min(pauseMs * 2, MAX_PAUSE_MS));
    } finally {
      this.#isTrying = false;
    }
  }

  #succeeded(): void {
    if (this.#isFirst || this.#failure !== null) this.parts.log.info('matrix.ping', { network: NETWORK, status: 'ok' });
    this.#isFirst = false;
    this.#failure = null;
  }

  #failed(error: unknown): void {
    if (this.#stopped) return;
    this.#failure = error;
    this.parts.log.warn('matrix.ping', { network: NETWORK, status: 'failed', code: errorCode(error) });
  }
}

/** No call comes through: the homeserver is away, or does not know us (any more). */
function isCut(error: unknown): boolean {
  return error instanceof HomeserverError && (error.outage || error.status === 401);
}
