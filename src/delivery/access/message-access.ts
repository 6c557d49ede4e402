import type { EthAddress } from '../../common/ids.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { encryptedMessageHash } from '../../protocol/envelope/envelope.js';
import type { ProcessedEnvelope } from '../../protocol/envelope/postmark.js';
import type { Database } from '../../storage/database.js';
import type { MailboxQuota } from '../limits/mailbox-quota.js';
import type { MailboxStore, PageEntry, Read } from '../mailbox/mailbox.store.js';
import type { DeviceStore } from './device.store.js';
import type { PageCursors } from './page-cursor.js';

/** What clients expect to get in one call. */
export const MAX_PAGE = 1_000;

interface Parts {
  readonly crypto: CryptoProvider;
  readonly db: Database;
  readonly mailbox: MailboxStore;
  readonly devices: DeviceStore;
  readonly cursors: PageCursors;
  readonly quota: MailboxQuota;
  /** Whether devices that give themselves an id each have their own view of the mailbox. */
  readonly deviceCursors: boolean;
}

/** Which part of a mailbox somebody wants to see. */
export interface Wanted {
  /** 1 to `MAX_PAGE`. */
  readonly limit: number;
  /** `next` of the page before. */
  readonly since?: string;
  /** An id of the device's own making. */
  readonly device?: string;
  /** Only from whoever is known by one of these: address, or the name that an unverified sender gave itself. */
  readonly senders?: readonly string[];
}

export interface MessagePage {
  /** Newest first. */
  readonly envelopes: readonly ProcessedEnvelope[];
  /** Leads to the older ones; null if there are none. */
  readonly next: string | null;
  /** By which these envelopes' metadata knows them: those whose sender could not be verified. */
  readonly unverified: readonly string[];
}

/** Reading a mailbox (dm3 message access): a page at a time, until it is acknowledged. */
export class MessageAccess {
  constructor(private readonly parts: Parts) {}

  /** @throws InvalidCursorError */
  async read(account: EthAddress, { limit, since, senders, device }: Wanted): Promise<MessagePage> {
    const { db, mailbox, cursors } = this.parts;
    const before = since === undefined ? undefined : cursors.read(account, since);
    const unreadBy = await this.#greet(account, device);
    const page = await mailbox.page(db, account, limit, { before, senders, unreadBy });
    const entries = await mailbox.handOut(db, page.entries);
    const last = page.entries.at(-1);
    return {
      envelopes: entries.map(({ envelope }) => envelope),
      next: page.more && last ? cursors.write(account, last.position) : null,
      unverified: entries.filter(({ verdict }) => verdict === 'unverified').map((entry) => this.#hashOf(entry)),
    };
  }

  /**
   * Lets go of what was read; what is named wrongly, or was acknowledged before, is passed over. Where devices have
   * cursors and one names itself, the others still get it.
   * @returns how many envelopes that were
   */
  async acknowledge(account: EthAddress, read: Read, device?: string): Promise<number> {
    const { db, mailbox, devices, quota } = this.parts;
    const deviceKey = await this.#greet(account, device);
    const count = deviceKey
      ? await db.transaction(async (tx) => devices.acknowledge(tx, deviceKey, await mailbox.lock(tx, account, read)))
      : await mailbox.acknowledge(db, account, read);
    if (count > 0) quota.freed(account);
    return count;
  }

  /** Undefined where all devices share one view. */
  async #greet(account: EthAddress, device: string | undefined): Promise<Buffer | undefined> {
    const { db, devices, deviceCursors } = this.parts;
    if (!deviceCursors || device === undefined) return undefined;
    const key = devices.key(account, device);
    await devices.greet(db, account, key);
    return key;
  }

  #hashOf({ envelope: { message, metadata } }: PageEntry): string {
    return metadata.messageHash ?? metadata.encryptedMessageHash ?? encryptedMessageHash(this.parts.crypto, message);
  }
}
