import type { EthAddress, Hash } from '../../common/ids.js';
import type { Database } from '../../storage/database.js';
import type { MailboxQuota } from '../limits/mailbox-quota.js';
import type { Permissions } from '../permissions/permissions.js';
import { SentMessageUnknownError, TooLateToRecallError } from './errors.js';
import type { SentState, SentStore } from './sent.store.js';

interface Parts {
  readonly db: Database;
  readonly permissions: Permissions;
  readonly store: SentStore;
  readonly quota: MailboxQuota;
}

/** What an account may learn of messages it sent to another account of this service, and take back of them. */
export class SentMessages {
  constructor(private readonly parts: Parts) {}

  /**
   * @param to the receiver's name
   * @param hashes either hash of each message
   * @returns in their order; `unknown` also for what somebody else sent
   * @throws InvalidNameError, AccountUnknownError, NotPermittedError; NamingUnavailableError
   */
  async states(sender: EthAddress, to: string, hashes: readonly Hash[]): Promise<(SentState | 'unknown')[]> {
    const { db, permissions, store } = this.parts;
    const receiver = await permissions.counterpart('deliveryStates', sender, to);
    return (await store.states(db, { sender, receiver }, hashes)).map((state) => state ?? 'unknown');
  }

  /**
   * Takes a message back that no client of the receiver has had. Asking again, after an answer that was lost or a crash,
   * ends the same.
   * @throws TooLateToRecallError, SentMessageUnknownError; those of `states`
   */
  async recall(sender: EthAddress, to: string, hash: Hash): Promise<void> {
    const { db, permissions, store, quota } = this.parts;
    const receiver = await permissions.counterpart('recall', sender, to);
    const sent = { sender, receiver };
    const count = await store.recall(db, sent, hash);
    if (count > 0) quota.freed(receiver);
    const [state] = await store.states(db, sent, [hash]);
    if (count === 0 && !state) throw new SentMessageUnknownError();
    if (state === 'pushed' || state === 'acknowledged') throw new TooLateToRecallError({ state });
  }
}
