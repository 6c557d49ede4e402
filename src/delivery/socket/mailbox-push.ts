import type { Clock } from '../../common/clock.js';
import { errorCode } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import type { ChannelListener } from '../../outbox/channel-listener.js';
import type { Database } from '../../storage/database.js';
import type { MailboxStore } from '../mailbox/mailbox.store.js';
import type { Arrival, ArrivalChannel } from './arrival-channel.js';
import { OnlineAccount, type Send } from './online-account.js';

interface Parts {
  readonly db: Database;
  readonly mailbox: MailboxStore;
  readonly channel: ArrivalChannel;
  readonly clock: Clock;
  readonly log: EventLog;
}

const LOOK_EVERY_MS = 30_000;
/** How far back it looks; longer than between two looks, so that a look may fail. */
const LOOK_BACK_SECONDS = 120;

/**
 * Brings what comes into a mailbox to the sockets that its account has in this process. Every process hears of every
 * arrival; what a process did not hear of, it finds by looking when it listens again, and now and then.
 */
export class MailboxPush {
  readonly #online = new Map<string, OnlineAccount>();
  readonly #listener: ChannelListener;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(private readonly parts: Parts) {
    const look = (): void => void (this.#looking = this.#look());
    this.#listener = parts.channel.listener((arrival) => this.#push(arrival), look);
  }

  start(): void {
    this.#listener.start();
    this.#timer = setInterval(() => (this.#looking = this.#look()), LOOK_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#listener.stop();
    await this.#looking;
    await Promise.all([...this.#online.values()].map((account) => account.settled()));
  }

  /** How many sockets are connected. */
  get connected(): number {
    return [...this.#online.values()].reduce((sum, { sockets }) => sum + sockets.size, 0);
  }

  connectedOf(address: EthAddress): number {
    return this.#online.get(this.parts.channel.accountKey(address))?.sockets.size ?? 0;
  }

  /** From now on `send` gets what comes for the account. @returns a function that ends it */
  join(address: EthAddress, send: Send): () => void {
    const key = this.parts.channel.accountKey(address);
    const account = this.#online.get(key) ?? new OnlineAccount(address, this.parts);
    this.#online.set(key, account);
    account.sockets.add(send);
    return () => {
      account.sockets.delete(send);
      if (account.sockets.size === 0) this.#online.delete(key);
    };
  }

  #push({ id, account }: Arrival): void {
    this.#online.get(account)?.push(id);
  }

  async #look(): Promise<void> {
    const { db, mailbox, log } = this.parts;
    const accounts = new Map([...this.#online.values()].map((account) => [account.address, account]));
    if (accounts.size === 0) return;
    try {
      for (const { id, receiver, seconds } of await mailbox.arrived(db, [...accounts.keys()], LOOK_BACK_SECONDS)) {
        const account = accounts.get(receiver)!;
        if (seconds < account.onlineSeconds) account.push(id); // what is older, its clients have fetched
      }
      for (const account of accounts.values()) account.forget(LOOK_BACK_SECONDS);
    } catch (error) {
      log.warn('mailbox.look-failed', { code: errorCode(error) });
    }
  }
}
