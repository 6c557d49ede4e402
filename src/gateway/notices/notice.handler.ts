import { errorCode } from '../../common/errors.js';
import type { MessageId } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import { killPoint } from '../../ops/kill-points.js';
import type { Claim, ClaimedItem, ItemHandler } from '../../outbox/item-handler.js';
import type { Database, Tx } from '../../storage/database.js';
import { followsDelays, sendsNotices, type Adapter, type Rendering } from '../adapter/adapter.js';
import type { AdapterRegistry } from '../adapters.js';
import { renderingFromJson, renderingToJson } from '../from-dm3/frozen.js';
import type { FrozenRendering } from '../from-dm3/payload.js';
import type { MessageStore, StoredMessage } from '../messages/message.store.js';
import { noteOf } from '../messages/note.js';
import type { MessageQueue } from '../messages/queue.js';
import type { NoticePayload, Notices } from './notices.js';

interface Parts {
  readonly db: Database;
  readonly adapters: AdapterRegistry;
  readonly messages: MessageStore;
  readonly notices: Notices;
  readonly queue: MessageQueue;
  readonly log: EventLog;
}

type Loaded = StoredMessage & { readonly payload: NoticePayload; readonly frozen: FrozenRendering | null };

/** Sends notices to authors on foreign networks. One that fails is not followed by another. */
export class NoticeHandler implements ItemHandler {
  constructor(private readonly parts: Parts) {}

  async handle(claim: Claim): Promise<((tx: Tx) => Promise<void>) | void> {
    const { db, messages, adapters, notices, queue, log } = this.parts;
    const message = await messages.load<NoticePayload, FrozenRendering>(db, claim.ref);
    if (!message || message.state === 'delivered') return undefined;
    const { attempt } = claim;
    const adapter = adapters.of(message.network);
    if (!mayStand(message, adapter) && (await notices.isObsolete(db, message.payload)))
      return (tx) => messages.delivered(tx, message.id, { attempt, code: 'NOTICE_OBSOLETE' });
    claim.routedTo(queue.lane(message.network, adapter.destinationOf(message.payload.notice.to)));
    const rendering = await this.#rendering(claim, message);
    if (rendering) await adapter.send(rendering);
    killPoint('notice.sent');
    return async (tx) => {
      await messages.delivered(tx, message.id, { attempt, code: rendering ? null : 'NOTICE_WITHHELD' });
      log.info('notice.delivered', { id: message.id, network: message.network, attempt });
    };
  }

  async fail(tx: Tx, item: ClaimedItem, error: unknown): Promise<void> {
    const message = await this.parts.messages.find(tx, item.ref);
    if (message) await this.parts.messages.failed(tx, message.id, { ...noteOf(item, error), code: errorCode(error) });
  }

  async postponed(tx: Tx, item: ClaimedItem, error: unknown, nextAt: Date): Promise<void> {
    await this.parts.messages.postponed(tx, item.ref as MessageId, { ...noteOf(item, error), nextAt });
  }

  /** Null where the network's own rules forbid a notice. */
  async #rendering(claim: Claim, { id, network, payload, frozen }: Loaded): Promise<Rendering | null> {
    if (frozen) return renderingFromJson(frozen);
    const adapter = this.parts.adapters.of(network);
    const rendering = sendsNotices(adapter) ? await adapter.renderNotice(payload.notice) : null;
    if (rendering) await claim.commit((tx) => this.parts.messages.freeze(tx, id, renderingToJson(rendering), null));
    killPoint('notice.frozen');
    return rendering;
  }
}

/**
 * An earlier attempt may have said it without our hearing so. Where it can be taken back it is said for certain, since
 * the notice behind it takes it back.
 */
function mayStand({ frozen, payload }: Loaded, adapter: Adapter): boolean {
  return frozen !== null && payload.delayOf !== undefined && followsDelays(adapter);
}
