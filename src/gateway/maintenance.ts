import { errorCode, GatewayError } from '../common/errors.js';
import type { DeliveryRetention } from '../delivery/retention/delivery-retention.js';
import type { EventLog } from '../ops/event-log.js';
import { purgeLanes } from '../outbox/lanes.js';
import type { Outbox } from '../outbox/outbox.js';
import { purgeSeen } from '../outbox/seen.js';
import type { Database } from '../storage/database.js';
import { inSteps, type Removal } from '../storage/in-steps.js';
import { STEP_PIECES, type AttachmentStore } from './attachments/attachment.store.js';
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
/** Pairs that wrote nothing for so long begin again. */
const IDLE_PAIR_DAYS = 7;
/** Longer than the longest pause between two attempts: what still waits for a destination has failed again by then. */
const QUIET_LANE_DAYS = 2;

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

  /** @returns false if it was left to another run that is under way, or there was no database */
  async run(): Promise<boolean> {
    const { db, log } = this.parts;
    try {
      return await db.withLockIfFree('maintenance', () => this.#removeAll());
    } catch (error) {
      if (!this.#stopped.signal.aborted) log.warn('maintenance.failed', { code: errorCode(error) });
      return false;
    }
  }

  /** One kind that fails does not keep the others. */
  async #removeAll(): Promise<void> {
    const { signal } = this.#stopped;
    for (const { what, step, rows } of this.#removals()) {
      if (signal.aborted) return;
      await inSteps(step, { rows, signal }).catch((error: unknown) => this.#complain(what, error));
    }
  }

  #complain(what: string, error: unknown): void {
    const { log } = this.parts;
    if (this.#stopped.signal.aborted) return;
    const fields = { component: what, code: errorCode(error) };
    if (error instanceof GatewayError) log.warn('maintenance.failed', fields);
    else log.error('maintenance.failed', fields, error);
  }

  /** What refers to others goes before them. */
  #removals(): readonly Removal[] {
    const { db, delivery, ghosts, links, attachments } = this.parts;
    return [
      { what: 'seen', step: (limit) => purgeSeen(db, limit) },
      ...this.#queue(), // first: an operator's retry of a dead letter finds its content
      ...this.#messages(),
      { what: 'profile_link', step: (limit) => links.purge(db, limit) },
      { what: 'attachment_chunk', step: (limit) => attachments.purgePieces(db, limit), rows: STEP_PIECES },
      { what: 'attachment', step: (limit) => attachments.purgeFiles(db, limit) },
      ...delivery.removals(),
      { what: 'ghost', step: (limit) => ghosts.purge(db, UNUSED_GHOST_DAYS, limit) },
    ];
  }

  #messages(): readonly Removal[] {
    const { db, conversations, map, messages, retention } = this.parts;
    return [
      { what: 'message_map', step: (limit) => map.purge(db, retention.mapDays, limit) },
      { what: 'message', step: (limit) => messages.purge(db, retention.mapDays, limit) },
      { what: 'conversation', step: (limit) => conversations.purge(db, retention.mapDays, limit) },
      { what: 'message content', step: (limit) => messages.eraseDead(db, retention.deadLetterDays, limit) },
    ];
  }

  #queue(): readonly Removal[] {
    const { db, outbox, retention } = this.parts;
    return [
      { what: 'outbox_dead', step: (limit) => outbox.purgeDead(db, retention.deadLetterDays, limit) },
      { what: 'outbox_head', step: (limit) => outbox.purgeIdle(db, IDLE_PAIR_DAYS, limit) },
      { what: 'outbox_lane', step: (limit) => purgeLanes(db, QUIET_LANE_DAYS, limit) },
    ];
  }
}
