import type { Clock } from '../../common/clock.js';
import { errorCode } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import type { ProcessedEnvelope } from '../../protocol/envelope/postmark.js';
import type { Database } from '../../storage/database.js';
import type { MailboxStore } from '../mailbox/mailbox.store.js';

export type Send = (envelope: ProcessedEnvelope) => void;

interface Parts {
  readonly db: Database;
  readonly mailbox: MailboxStore;
  readonly clock: Clock;
  readonly log: EventLog;
}

/** Envelopes that are opened and held in memory at once. */
const PAGE = 16;

/** An account with sockets in this process: what comes for it goes to all of them once, in order of arrival. */
export class OnlineAccount {
  readonly sockets = new Set<Send>();
  readonly #since: number;
  readonly #waiting: string[] = [];
  /** When which row was sent. */
  readonly #sent = new Map<string, number>();
  #pushing: Promise<void> | undefined;

  constructor(
    readonly address: EthAddress,
    private readonly parts: Parts,
  ) {
    this.#since = parts.clock.now();
  }

  get onlineSeconds(): number {
    return (this.parts.clock.now() - this.#since) / 1_000;
  }

  /** @param id of a row in `mailbox`; one that was sent already, is acknowledged, or is not ours, is passed over */
  push(id: string): void {
    this.#waiting.push(id);
    this.#pushing ??= this.#pushWaiting();
  }

  /** Of what was sent longer ago, nobody will speak again. */
  forget(seconds: number): void {
    const before = this.parts.clock.now() - seconds * 1_000;
    for (const [id, sentAt] of this.#sent) {
      if (sentAt > before) return;
      this.#sent.delete(id);
    }
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#pushing;
  }

  async #pushWaiting(): Promise<void> {
    while (this.#waiting.length > 0) await this.#pushPage(this.#waiting.splice(0, PAGE));
    this.#pushing = undefined;
  }

  async #pushPage(ids: readonly string[]): Promise<void> {
    const { db, mailbox, log } = this.parts;
    try {
      const unsent = ids.filter((id) => !this.#sent.has(id));
      const letters = await mailbox.waiting(db, this.address, unsent);
      if (this.sockets.size === 0) return;
      for (const { id, envelope } of await mailbox.handOut(db, letters)) this.#send(id, envelope);
    } catch (error) {
      log.warn('mailbox.push-failed', { code: errorCode(error), count: ids.length });
    }
  }

  #send(id: string, envelope: ProcessedEnvelope): void {
    this.#sent.set(id, this.parts.clock.now());
    for (const send of this.sockets) send(envelope);
  }
}
