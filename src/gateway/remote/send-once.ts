import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../../common/errors.js';
import type { EventLog } from '../../ops/event-log.js';
import { killPoint } from '../../ops/kill-points.js';
import { SEEN_SECONDS } from '../../outbox/seen.js';
import type { Database } from '../../storage/database.js';
import { inSteps } from '../../storage/in-steps.js';
import type { Sealer } from '../../storage/sealer.js';
import type { Adapter, Rendering } from '../adapter/adapter.js';
import { RequestLateError, SendUnderWayError } from './errors.js';
import { remoteSendStore, type Send } from './remote-send.store.js';

interface Parts {
  readonly db: Database;
  readonly sealer: Sealer;
  /** How long a message stays with a process that fell silent while it handed it over. */
  readonly leaseSeconds: number;
  readonly log: EventLog;
}

const RENEWALS_PER_LEASE = 3;
const MARK_TRIES = 5;
const MARK_PAUSE_MS = 100;

/**
 * Hands each rendering to its network once, however often it is asked to: requests are repeated when an answer was lost,
 * and brokers deliver at least once. What a SIGKILL leaves: before the network has it, a turn that lapses with its lease;
 * between the network's answer and our mark, a message that is sent again with the same ids, as without a broker; after
 * the mark, a repeat that is answered from it.
 */
export class SendOnce {
  constructor(private readonly parts: Parts) {}

  /**
   * @param until the database's time after which nobody waits for the outcome; null: the caller does
   * @throws what the adapter throws; SendUnderWayError, RequestLateError
   */
  async send(adapter: Adapter, rendering: Rendering, until: string | null = null): Promise<void> {
    const { db, leaseSeconds } = this.parts;
    const send = { key: this.#keyOf(adapter, rendering), holder: randomUUID() };
    const turn = await remoteSendStore.begin(db, send, { leaseSeconds, until });
    if (turn === 'under-way') throw new SendUnderWayError();
    if (turn === 'late') throw new RequestLateError();
    if (turn === 'begun') await this.#handOver(adapter, rendering, send);
  }

  /** What no repeat can be of any more. */
  async purge(): Promise<void> {
    await inSteps((limit) => remoteSendStore.purge(this.parts.db, SEEN_SECONDS, limit));
  }

  async #handOver(adapter: Adapter, rendering: Rendering, send: Send): Promise<void> {
    const renewing = this.#renew(send);
    try {
      await adapter.send(rendering);
    } catch (error) {
      await remoteSendStore
        .giveUp(this.parts.db, send)
        .catch((failure) => this.#warn('remote.give-up-failed', failure));
      throw error;
    } finally {
      clearInterval(renewing);
    }
    killPoint('remote.sent');
    await this.#mark(send);
    killPoint('remote.marked');
  }

  #renew(send: Send): NodeJS.Timeout {
    const { db, leaseSeconds } = this.parts;
    const renew = () => remoteSendStore.renew(db, send, leaseSeconds);
    const everyMs = (leaseSeconds * 1_000) / RENEWALS_PER_LEASE;
    return setInterval(() => void renew().catch((error) => this.#warn('remote.renew-failed', error)), everyMs);
  }

  /** The network has it, so that is the answer, even if it cannot be written down: the lease holds repeats off a while. */
  async #mark(send: Send): Promise<void> {
    for (let pauseMs = MARK_PAUSE_MS, left = MARK_TRIES - 1; ; pauseMs *= 2, left -= 1) {
      try {
        return await remoteSendStore.taken(this.parts.db, send);
      } catch (error) {
        if (left === 0) return this.#warn('remote.mark-failed', error);
        await delay(pauseMs);
      }
    }
  }

  #warn(event: string, error: unknown): void {
    this.parts.log.warn(event, { code: errorCode(error) });
  }

  #keyOf({ network }: Adapter, { remoteIds, body }: Rendering): Buffer {
    const digest = createHash('sha256').update(body).digest();
    return this.parts.sealer.keyedHash('remote send', network, digest, ...remoteIds);
  }
}
