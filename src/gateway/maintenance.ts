import { errorCode } from '../common/errors.js';
import { challengeStore } from '../delivery/access/challenge.store.js';
import type { MailboxStore } from '../delivery/mailbox/mailbox.store.js';
import type { EventLog } from '../ops/event-log.js';
import type { Outbox } from '../outbox/outbox.js';
import { purgeSeen } from '../outbox/seen.js';
import type { Database } from '../storage/database.js';
import type { ConversationStore } from './conversations/conversation.store.js';
import type { GhostStore } from './ghosts/ghost.store.js';
import type { MessageMapStore } from './messages/message-map.store.js';
import type { MessageStore } from './messages/message.store.js';

interface Parts {
  readonly db: Database;
  readonly outbox: Outbox;
  readonly mailbox: MailboxStore;
  readonly ghosts: GhostStore;
  readonly conversations: ConversationStore;
  readonly map: MessageMapStore;
  readonly messages: MessageStore;
  readonly retention: { mailboxDays: number; mapDays: number; deadLetterDays: number };
  readonly log: EventLog;
}

const EVERY_MS = 10 * 60_000;
const BATCH = 1_000;
const UNUSED_GHOST_DAYS = 30;

/** Removes what has outlived its time, in small steps, so that nothing else waits for it. */
export class Maintenance {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(private readonly parts: Parts) {}

  start(): void {
    this.#timer = setInterval(() => (this.#running = this.run()), EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async run(): Promise<void> {
    const { db, outbox, mailbox, ghosts, conversations, map, messages, retention, log } = this.parts;
    try {
      await challengeStore.purge(db);
      await untilEmpty(() => purgeSeen(db, BATCH));
      await untilEmpty(() => map.purge(db, retention.mapDays, BATCH));
      await untilEmpty(() => messages.purge(db, retention.mapDays, BATCH));
      await untilEmpty(() => conversations.purge(db, retention.mapDays, BATCH));
      await untilEmpty(() => messages.eraseDead(db, retention.deadLetterDays, BATCH));
      await untilEmpty(() => outbox.purgeDead(db, retention.deadLetterDays, BATCH));
      if (retention.mailboxDays > 0) await untilEmpty(() => mailbox.purge(db, retention.mailboxDays, BATCH));
      await ghosts.purge(db, UNUSED_GHOST_DAYS);
    } catch (error) {
      log.warn('maintenance.failed', { code: errorCode(error) });
    }
  }
}

async function untilEmpty(step: () => Promise<number>): Promise<void> {
  while ((await step()) === BATCH);
}
