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

/** What an operator sees and may do: states, ids and times, never content. */
export class AdminService {
  constructor(
    private readonly db: Database,
    private readonly outbox: Outbox,
    private readonly messages: MessageStore,
  ) {}

  queue(): Promise<OutboxCounts> {
    return this.outbox.counts(this.db);
  }

  async message(id: string): Promise<MessageStatus | null> {
    const message = await this.messages.find(this.db, id);
    if (!message) return null;
    const { direction, network, state, code, acceptedAt, settledAt } = message;
    const queue = await this.outbox.statusOf(this.db, id);
    return { id: message.id, direction, network, state, code, acceptedAt, settledAt, queue };
  }

  deadLetters(): Promise<readonly DeadLetter[]> {
    return this.outbox.deadLetters(this.db);
  }

  /** Puts a dead letter back at its old place. False if there is none. */
  retry(id: MessageId): Promise<boolean> {
    return this.db.transaction(async (tx) => {
      const found = await this.outbox.retry(tx, id);
      if (found) await this.messages.reopened(tx, id);
      return found;
    });
  }
}
