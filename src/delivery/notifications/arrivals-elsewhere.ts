import { errorCode } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import type { ChannelListener } from '../../outbox/channel-listener.js';
import type { Database } from '../../storage/database.js';
import type { MailboxStore } from '../mailbox/mailbox.store.js';
import type { ArrivalChannel } from '../socket/arrival-channel.js';

interface Parts {
  readonly db: Database;
  readonly mailbox: MailboxStore;
  readonly channel: ArrivalChannel;
  readonly notifier: { arrived(account: EthAddress): void };
  readonly log: EventLog;
}

/**
 * Tells the notifier of what other processes put into mailboxes, where those take submissions and tell nobody
 * themselves. What it does not hear of, the notifier's next sweep finds.
 */
export class ArrivalsElsewhere {
  readonly #listener: ChannelListener;
  #heard: string[] = [];
  #looking: Promise<void> = Promise.resolve();

  constructor(private readonly parts: Parts) {
    this.#listener = parts.channel.listener(
      ({ id }) => this.#hear(id),
      () => {},
    );
  }

  start(): void {
    this.#listener.start();
  }

  async stop(): Promise<void> {
    await this.#listener.stop();
    await this.#looking;
  }

  /** What one signal brought is looked up together. */
  #hear(id: string): void {
    if (this.#heard.push(id) === 1) this.#looking = this.#looking.then(() => this.#look());
  }

  async #look(): Promise<void> {
    const { db, mailbox, notifier, log } = this.parts;
    const ids = this.#heard;
    this.#heard = [];
    try {
      for (const account of await mailbox.receivers(db, ids)) notifier.arrived(account);
    } catch (error) {
      log.warn('notification.look-failed', { code: errorCode(error) });
    }
  }
}
