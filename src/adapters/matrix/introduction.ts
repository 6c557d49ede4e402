import { randomUUID } from 'node:crypto';
import { errorCode } from '../../common/errors.js';
import type { NetworkId } from '../../common/ids.js';
import type { AdapterHealth } from '../../gateway/adapter/adapter.js';
import type { EventLog } from '../../ops/event-log.js';
import type { MatrixApi } from './api.js';

interface Parts {
  readonly api: MatrixApi;
  readonly registrationId: string;
  readonly log: EventLog;
}

const FIRST_MS = 100;
const MAX_PAUSE_MS = 60_000;
const NETWORK = 'matrix' as NetworkId;

/**
 * Tells the homeserver that we are here: one that had given us up for a while delivers what waits, and its call back
 * shows that it reaches us. Repeated until it succeeds; what came of it is part of the health.
 */
export class Introduction {
  #timer: NodeJS.Timeout | undefined;
  #failure: string | null = null;
  #stopped = false;

  constructor(private readonly parts: Parts) {}

  /** Our own door opens just after this: the first try comes a moment later. */
  start(): void {
    this.#again(FIRST_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  health(): AdapterHealth {
    return this.#failure === null ? { status: 'up' } : { status: 'degraded', detail: this.#failure };
  }

  #again(pauseMs: number): void {
    this.#timer = setTimeout(() => void this.#try(pauseMs), pauseMs).unref();
  }

  async #try(pauseMs: number): Promise<void> {
    const { api, registrationId, log } = this.parts;
    try {
      await api.ping(registrationId, randomUUID());
      this.#failure = null;
      log.info('matrix.ping', { network: NETWORK, status: 'ok' });
    } catch (error) {
      if (this.#stopped) return;
      this.#failure = `The homeserver and the gateway do not reach each other: ${errorCode(error)}.`;
      log.warn('matrix.ping', { network: NETWORK, status: 'failed', code: errorCode(error) });
      this.#again(Math.min(pauseMs * 2, MAX_PAUSE_MS));
    }
  }
}
