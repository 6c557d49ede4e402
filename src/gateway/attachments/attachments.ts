import type { Clock } from '../../common/clock.js';
import type { EthAddress } from '../../common/ids.js';
import type { Settings } from '../../config/settings.js';
import type { RandomBytes } from '../../protocol/crypto/provider.js';
import type { Queryable, Tx } from '../../storage/database.js';
import type { AttachmentStore, StoredFile } from './attachment.store.js';
import { AttachmentExpiredError, AttachmentNotFoundError, AttachmentStoreFullError } from './errors.js';
import { fileName, isLinkId, linkLine, type LinkedFile } from './link.js';
import { KEY_BYTES, SealedFile, type PlainFile } from './sealed-file.js';
import type { Shelf } from './shrink.js';

interface Parts {
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly store: AttachmentStore;
  readonly settings: Settings['attachments'];
  readonly publicUrl: string;
}

const ID_BYTES = 16;
const DAY_MS = 86_400_000;

/** Keeps files that do not fit into a message; the message brings a link in their place. */
export class Attachments implements Shelf {
  constructor(private readonly parts: Parts) {}

  /** Null if files are not kept here: what does not fit is refused. */
  get shelf(): Shelf | null {
    return this.parts.settings.enabled ? this : null;
  }

  get maxBytes(): number {
    return this.parts.settings.maxBytes;
  }

  get maxBytesPerMessage(): number {
    return this.parts.settings.maxBytesPerMessage;
  }

  /** Nothing is kept yet, and the key is nowhere but here. */
  link(file: PlainFile): LinkedFile {
    const { random, clock, settings } = this.parts;
    const id = Buffer.from(random(ID_BYTES)).toString('hex');
    const expiresAt = new Date(clock.now() + settings.days * DAY_MS);
    return { ...file, name: fileName(file.name), link: { id, key: random(KEY_BYTES), expiresAt } };
  }

  line(file: LinkedFile): string {
    return linkLine(file, this.parts.publicUrl);
  }

  /**
   * In the transaction that accepts the message with the links: both are there, or neither. Other acceptances under
   * way at the same moment do not count yet, so that all of them together may exceed a quota by what they bring.
   * @throws AttachmentStoreFullError
   */
  async keep(tx: Tx, receiver: EthAddress, files: readonly LinkedFile[]): Promise<void> {
    if (files.length === 0) return;
    const sealed = files.map((file) => ({ ...file.link, content: new SealedFile(file.link.key, file) }));
    await this.#claimRoom(
      tx,
      receiver,
      sealed.reduce((sum, { content }) => sum + content.size, 0),
    );
    const { store } = this.parts;
    for (const { id, expiresAt, content } of sealed) {
      const { size } = content;
      await store.add(tx, { key: store.keyOf(id), receiver, size, expiresAt, pieces: content.pieces() });
    }
  }

  /** @throws AttachmentNotFoundError, AttachmentExpiredError */
  async find(db: Queryable, id: string): Promise<StoredFile> {
    const { store } = this.parts;
    const file = isLinkId(id) ? await store.find(db, store.keyOf(id)) : null;
    if (!file) throw new AttachmentNotFoundError();
    if (file.isExpired) throw new AttachmentExpiredError();
    return file;
  }

  async #claimRoom(tx: Tx, receiver: EthAddress, bytes: number): Promise<void> {
    const { store, settings } = this.parts;
    const { quotaBytes, receiverBytesPerDay } = settings;
    const kept = await store.kept(tx, receiver);
    if (kept.all + bytes > quotaBytes) throw new AttachmentStoreFullError({ of: 'everybody', limitBytes: quotaBytes });
    if (kept.receiverToday + bytes > receiverBytesPerDay) {
      throw new AttachmentStoreFullError({ of: 'the receiver', limitBytes: receiverBytesPerDay });
    }
  }
}
