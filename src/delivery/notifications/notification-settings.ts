import { GatewayError } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import type { Database, Tx } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import type { ChannelType, NotificationChannel, OfferedChannels } from './channel.js';
import type { AccountChannel, NotificationChannelStore } from './channel.store.js';
import { ChannelStateError, CodeNotSentError, CodeRefusedError, NotificationsOffError } from './errors.js';
import type { IssuedCode, OneTimeCodes, Proof } from './one-time-codes.js';

interface Parts {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly offered: OfferedChannels;
  readonly store: NotificationChannelStore;
  readonly codes: OneTimeCodes;
}

const proofOf = (account: EthAddress, recipient: string): Proof => ({ account, recipient, purpose: 'notification' });

/** How accounts want to be told that messages wait (dm3 delivery service REST, `/notifications`). */
export class NotificationSettings {
  constructor(private readonly parts: Parts) {}

  isOn(account: EthAddress): Promise<boolean> {
    return this.parts.store.isOn(this.parts.db, account);
  }

  async setOn(account: EthAddress, isOn: boolean): Promise<void> {
    await this.parts.store.setOn(this.parts.db, account, isOn);
  }

  /** Empty while notifications are off, whatever is set up. */
  async channels(account: EthAddress): Promise<readonly AccountChannel[]> {
    return (await this.isOn(account)) ? this.parts.store.all(this.parts.db, account) : [];
  }

  /**
   * Sets up a channel in place of the account's other one of this type, and sends its code if it needs one. A crash
   * between the commit and the mail leaves a channel to be verified; its owner asks for another code.
   * @throws ChannelNotOfferedError, RecipientInvalidError, NotificationsOffError, CodeTooSoonError, CodeNotSentError
   */
  async add(account: EthAddress, type: ChannelType, value: unknown): Promise<void> {
    const { db, offered, store, codes } = this.parts;
    const channel = offered.get(type);
    const recipient = channel.parseRecipient(value);
    const isVerified = channel.sendCode === undefined;
    const issued = await db.transaction(async (tx) => {
      await this.#requireOn(tx, account);
      await store.put(tx, account, { type, recipient, isVerified });
      return isVerified ? null : codes.issue(tx, proofOf(account, recipient));
    });
    if (issued) await this.#send(channel, recipient, issued);
  }

  /**
   * Sends another code; the one before is no good any more.
   * @throws ChannelNotOfferedError, NotificationsOffError, ChannelStateError, CodeTooSoonError, CodeNotSentError
   */
  async resendCode(account: EthAddress, type: ChannelType): Promise<void> {
    const { db, offered, codes } = this.parts;
    const channel = offered.get(type);
    const { recipient, issued } = await db.transaction(async (tx) => {
      const { recipient } = await this.#unverified(tx, account, type);
      return { recipient, issued: await codes.issue(tx, proofOf(account, recipient)) };
    });
    await this.#send(channel, recipient, issued);
  }

  /** @throws ChannelNotOfferedError, NotificationsOffError, ChannelStateError, CodeRefusedError */
  async verify(account: EthAddress, type: ChannelType, code: string): Promise<void> {
    const { db, offered, store, codes } = this.parts;
    offered.get(type);
    const isRight = await db.transaction(async (tx) => {
      const { recipient } = await this.#unverified(tx, account, type);
      const right = await codes.check(tx, proofOf(account, recipient), code);
      if (right) await store.setVerified(tx, account, type);
      return right;
    });
    if (!isRight) throw new CodeRefusedError({ reason: 'Invalid OTP.' });
  }

  /** @throws NotificationsOffError, ChannelStateError */
  async setEnabled(account: EthAddress, type: ChannelType, isEnabled: boolean): Promise<void> {
    await this.#change(account, type, (tx) => this.parts.store.setEnabled(tx, account, type, isEnabled));
  }

  /** @throws NotificationsOffError, ChannelStateError */
  async remove(account: EthAddress, type: ChannelType): Promise<void> {
    await this.#change(account, type, (tx) => this.parts.store.remove(tx, account, type));
  }

  async #change(account: EthAddress, type: ChannelType, change: (tx: Tx) => Promise<boolean>): Promise<void> {
    const found = await this.parts.db.transaction(async (tx) => {
      await this.#requireOn(tx, account);
      return change(tx);
    });
    if (!found) throw new ChannelStateError({ type, state: 'is not configured' });
  }

  async #unverified(tx: Tx, account: EthAddress, type: ChannelType): Promise<AccountChannel> {
    await this.#requireOn(tx, account);
    const channel = (await this.parts.store.all(tx, account)).find((each) => each.type === type);
    if (!channel) throw new ChannelStateError({ type, state: 'is not configured' });
    if (!channel.isEnabled) throw new ChannelStateError({ type, state: 'is not enabled' });
    if (channel.isVerified) throw new ChannelStateError({ type, state: 'is already verified' });
    return channel;
  }

  async #requireOn(tx: Tx, account: EthAddress): Promise<void> {
    if (!(await this.parts.store.lock(tx, account))) throw new NotificationsOffError();
  }

  async #send({ sendCode }: NotificationChannel, recipient: string, { id, code }: IssuedCode): Promise<void> {
    try {
      await sendCode!(recipient, this.parts.sealer.keyedHash('notification of code', id).toString('hex'), code);
    } catch (cause) {
      if (cause instanceof GatewayError) throw new CodeNotSentError({ retryable: cause.retryable, cause });
      throw cause;
    }
  }
}
