import { errorCode } from '../common/errors.js';
import type { DeliveryRetention } from '../delivery/retention/delivery-retention.js';
import type { EventLog } from '../ops/event-log.js';
import type { Outbox } from '../outbox/outbox.js';
import { purgeSeen } from '../outbox/seen.js';
import type { Database } from '../storage/database.js';
import { inSteps } from '../storage/in-steps.js';
import type { AttachmentStore } from './attachments/attachment.store.js';
import type { ConversationStore } from './conversations/conversation.store.js';
import type { GhostStore } from './ghosts/ghost.store.js';
import type { LinkStore } from './links/link.store.js';
import type { MessageMapStore } from './messages/message-map.store.js';
import type { MessageStore } from './messages/message.store.js';

interface Parts {
  readonly db: Database;
  readonly outbox: Outbox;
  readonly delivery: DeliveryRetention;
  readonly ghosts: GhostStore;
  readonly links: LinkStore;
  readonly conversations: ConversationStore;
  readonly map: MessageMapStore;
  readonly messages: MessageStore;
  readonly attachments: AttachmentStore;
  readonly retention: { mapDays: number; deadLetterDays: number };
  readonly log: EventLog;
}

const EVERY_MS = 10 * 60_000;
const UNUSED_GHOST_DAYS = 30;

/**
 * Removes what has outlived its time, in small steps with rests between them, so that nothing else waits for it. One
 * process does it at a time: more of them would not be faster, and the database would have less rest.
 */
export class Maintenance {
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: Parts) {}

  start(): void {
    this.#timer = setInterval(() => void this.run(), EVERY_MS).unref();
  }

  /** A run under way ends with its next step, for which there is no database any more; the rest is for the next run. */
  stop(): void {
    clearInterval(this.#timer);
    this.#stopped.abort();
  }

  async run(): Promise<void> {
    const { db, log } = this.parts;
    try {
      await db.withLockIfFree('maintenance', () => this.#purge());
    } catch (error) {
      if (!this.#stopped.signal.aborted) log.warn('maintenance.failed', { code: errorCode(error) });
    }
  }

  async #purge(): Promise<void> {
    const { db, outbox, delivery, ghosts, links, conversations, map, messages, attachments, retention } = this.parts;
    const { signal } = this.#stopped;
    const clear = (step: (limit: number) => Promise<number>) => inSteps(step, { signal });
    await clear((limit) => purgeSeen(db, limit));
    await clear((limit) => map.purge(db, retention.mapDays, limit));
    await clear((limit) => messages.purge(db, retention.mapDays, limit));
    await clear((limit) => conversations.purge(db, retention.mapDays, limit));
    await clear((limit) => messages.eraseDead(db, retention.deadLetterDays, limit));
    await clear((limit) => outbox.purgeDead(db, retention.deadLetterDays, limit));
    await clear((limit) => links.purge(db, limit));
    if (!signal.aborted) await attachments.purge(db);
    await delivery.purge(signal);
    await clear((limit) => ghosts.purge(db, UNUSED_GHOST_DAYS, limit));
  }
}
