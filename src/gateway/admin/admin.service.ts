import type { MessageId } from '../../common/ids.js';
import type { DeadLetter, Outbox, OutboxCounts, OutboxStatus } from '../../outbox/outbox.js';
import type { Database } from '../../storage/database.js';
import type { MessageStore, StoredMessage } from '../messages/message.store.js';

export interface MessageStatus {
  readonly id: MessageId;
  readonly direction: StoredMessage['direction'];
  readonly network: string;
  readonly state: StoredMessage['state'];
  readonly code: string | null;
  readonly acceptedAt: Date;
  readonly settledAt: Date | null;
  readonly queue: OutboxStatus | null;
}

interface Parts {
  readonly db: Database;
  readonly outbox: Outbox;
  readonly messages: MessageStore;
}

/** What an operator sees and may do: states, ids and times, never content. */
export class AdminService {
  constructor(private readonly parts: Parts) {}

  queue(): Promise<OutboxCounts> {
    return this.parts.outbox.counts(this.parts.db);
  }

  async message(id: string): Promise<MessageStatus | null> {
    const message = await this.parts.messages.find(this.parts.db, id);
    if (!message) return null;
    const { direction, network, state, code, acceptedAt, settledAt } = message;
    const queue = await this.parts.outbox.statusOf(this.parts.db, id);
    return { id: message.id, direction, network, state, code, acceptedAt, settledAt, queue };
  }

  deadLetters(): Promise<readonly DeadLetter[]> {
    return this.parts.outbox.deadLetters(this.parts.db);
  }

  /** Puts a dead letter back at its old place. False if there is none. */
  retry(id: MessageId): Promise<boolean> {
    return this.parts.db.transaction(async (tx) => {
      const found = await this.parts.outbox.retry(tx, id);
      if (found) await this.parts.messages.reopened(tx, id);
      return found;
    });
  }
}
