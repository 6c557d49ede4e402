import { errorCode, isRetryable } from '../../common/errors.js';
import type { ConversationId, EnsName, EthAddress, Hash, MessageId, RemoteId } from '../../common/ids.js';
import { InvalidNameError, parseAddressName } from '../../naming/ens-name.js';
import type { NameService } from '../../naming/name-service.js';
import type { EventLog } from '../../ops/event-log.js';
import { killPoint } from '../../ops/kill-points.js';
import type { Claim, ClaimedItem, ItemHandler } from '../../outbox/item-handler.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { claimedHash } from '../../protocol/envelope/envelope.js';
import { messageHash, type Dm3Message } from '../../protocol/envelope/message.js';
import type { Database, Tx } from '../../storage/database.js';
import type { Adapter, Rendering } from '../adapter/adapter.js';
import type { NeutralMessage } from '../adapter/message.js';
import type { AdapterRegistry } from '../adapters.js';
import type { Attachments } from '../attachments/attachments.js';
import type { LinkedFile } from '../attachments/link.js';
import type { Conversation, ConversationStore } from '../conversations/conversation.store.js';
import type { ConversationTokens } from '../conversations/token.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { MessageMapStore } from '../messages/message-map.store.js';
import { isReadable, type MessageStore, type StoredMessage } from '../messages/message.store.js';
import type { MessageTraceStore } from '../messages/message-trace.store.js';
import { noteOf } from '../messages/note.js';
import type { MessageQueue } from '../messages/queue.js';
import type { Notices } from '../notices/notices.js';
import { MessageUnusableError } from './errors.js';
import { renderingFromJson, renderingToJson } from './frozen.js';
import { linkBeyond } from './link-beyond.js';
import { openMessage } from './open.js';
import type { FromDm3Payload, FrozenRendering } from './payload.js';
import { fitMessage, readMessage } from './read.js';

interface Parts {
  readonly crypto: CryptoProvider;
  readonly db: Database;
  readonly names: NameService;
  readonly adapters: AdapterRegistry;
  readonly ghosts: GhostService;
  readonly tokens: ConversationTokens;
  readonly conversations: ConversationStore;
  readonly messages: MessageStore;
  readonly map: MessageMapStore;
  readonly notices: Notices;
  readonly trace: MessageTraceStore;
  readonly queue: MessageQueue;
  readonly conversationDays: number;
  readonly attachments: Attachments;
  readonly log: EventLog;
}

type Loaded = StoredMessage & { readonly payload: FromDm3Payload; readonly frozen: FrozenRendering | null };

/** Where a dm3 message belongs on the foreign side. */
interface Place {
  /** Null: it opens a conversation. */
  readonly conversation: Conversation | null;
  readonly target: RemoteId | null;
}

/** Opens accepted envelopes in memory, renders them once and hands them to the ghost's network. */
export class FromDm3Handler implements ItemHandler {
  constructor(private readonly parts: Parts) {}

  async handle(claim: Claim): Promise<((tx: Tx) => Promise<void>) | void> {
    const { db, messages, adapters, queue, log } = this.parts;
    const message = await messages.load<FromDm3Payload, FrozenRendering>(db, claim.ref);
    if (!message || message.state === 'delivered') return undefined;
    const adapter = adapters.of(message.network);
    const { destination } = message.payload;
    if (destination) claim.routedTo(queue.lane(message.network, destination)); // older rows do not name it
    const rendering = message.frozen ? renderingFromJson(message.frozen) : await this.#render(claim, message, adapter);
    if (rendering) await adapter.send(rendering);
    killPoint('from-dm3.sent');
    return async (tx) => {
      const { attempt } = claim;
      await messages.delivered(tx, message.id, { attempt, code: rendering ? null : 'LEFT_OUT_BY_RULE' });
      log.info('message.delivered', { id: message.id, network: message.network, attempt: claim.attempt });
    };
  }

  async fail(tx: Tx, item: ClaimedItem, error: unknown): Promise<void> {
    const { messages, notices } = this.parts;
    const message = await messages.loadToFail<FromDm3Payload, FrozenRendering>(tx, item.ref);
    if (!message) return;
    const code = isReadable(message)
      ? await notices.aboutFromDm3(tx, message, error, isRetryable(error))
      : errorCode(error);
    await messages.failed(tx, message.id, { ...noteOf(item, error), code });
  }

  async postponed(tx: Tx, item: ClaimedItem, error: unknown, nextAt: Date): Promise<void> {
    await this.parts.messages.postponed(tx, item.ref as MessageId, { ...noteOf(item, error), nextAt });
  }

  async delayed(tx: Tx, item: ClaimedItem): Promise<void> {
    const { messages, notices } = this.parts;
    const message = await messages.loadToFail<FromDm3Payload, FrozenRendering>(tx, item.ref);
    if (!message || !isReadable(message) || !(await notices.delayOfFromDm3(tx, message, item.expiresAt))) return;
    await messages.delayTold(tx, message.id);
  }

  /** Renders and commits before anything leaves: a crash here costs a second rendering, after it the same bytes go. */
  async #render(claim: Claim, message: Loaded, adapter: Adapter): Promise<Rendering | null> {
    const { crypto, ghosts } = this.parts;
    const ghost = (await ghosts.byAddress(message.ghost))!;
    const opened = openMessage(crypto, message.payload, await ghosts.openingKeys(ghost, message.acceptedAt));
    await this.#checkParties(opened, message, ghost);
    const can = adapter.capabilities();
    const { message: whole, files } = linkBeyond(readMessage(opened), can, this.parts.attachments.shelf);
    const neutral = fitMessage(whole, can);
    return neutral && this.#freeze(claim, { message, adapter, ghost, opened, neutral, files });
  }

  async #freeze(
    claim: Claim,
    work: {
      message: Loaded;
      adapter: Adapter;
      ghost: Ghost;
      opened: Dm3Message;
      neutral: NeutralMessage;
      files: readonly LinkedFile[];
    },
  ): Promise<Rendering> {
    const { message, adapter, ghost, opened, neutral, files } = work;
    const { names } = this.parts;
    const place = await this.#place(message, opened);
    const hash = messageHash(this.parts.crypto, opened);
    const name = await this.#shownName(message, place.conversation);
    const rendering = await adapter.render({
      id: hash.slice(2),
      from: { name, address: message.identity },
      to: ghost.foreign,
      toNames: [...new Set([ghost.name, names.display(ghost.name)])],
      message: neutral,
      conversation: place.conversation?.context ?? null,
      target: place.target,
    });
    await claim.commit(async (tx) => {
      await this.parts.attachments.keep(tx, ghost.address, files);
      await this.#commit(tx, message, { place, rendering, hash, name });
    });
    killPoint('from-dm3.frozen');
    return rendering;
  }

  async #commit(
    tx: Tx,
    message: Loaded,
    made: { place: Place; rendering: Rendering; hash: Hash; name: EnsName },
  ): Promise<void> {
    const { conversations, messages, map, trace } = this.parts;
    const { rendering, name } = made;
    const { id } = made.place.conversation ?? (await conversations.open(tx, message));
    await conversations.touch(tx, id, { context: rendering.conversation, shownName: name });
    for (const remoteId of rendering.remoteIds) {
      const { identity: owner, network } = message;
      const { encryptedMessageHash, envelope } = message.payload;
      const referredBy = claimedHash(envelope) ?? encryptedMessageHash;
      const ids = { messageHash: made.hash, encryptedMessageHash, referredBy, remoteId };
      await map.add(tx, { owner, network, conversation: id, ids });
    }
    await trace.add(tx, message.id, [made.hash, ...rendering.remoteIds]);
    await messages.freeze(tx, message.id, renderingToJson(rendering), id);
  }

  /**
   * By the token our own message asked to have back, else by the message it refers to, else it joins the pair's latest
   * conversation if that is young enough.
   */
  async #place(message: Loaded, opened: Dm3Message): Promise<Place> {
    const { db, conversations, conversationDays } = this.parts;
    const target = await this.#target(message, opened);
    const id = this.#tokenOf(message, opened) ?? target?.conversation ?? null;
    const known = id && (await conversations.find(db, id, message));
    if (known) return { conversation: known, target: target?.remoteId ?? null };
    return { conversation: await conversations.latest(db, message, conversationDays), target: null };
  }

  #tokenOf({ payload }: Loaded, opened: Dm3Message): ConversationId | null {
    const { tokens } = this.parts;
    const metadata = opened.metadata as { deliveryInstruction?: unknown };
    return tokens.read(payload.deliveryInformation.deliveryInstruction) ?? tokens.read(metadata.deliveryInstruction);
  }

  async #target({ identity }: Loaded, opened: Dm3Message) {
    const reference = opened.metadata.referenceMessageHash;
    return reference ? this.parts.map.byHash(this.parts.db, identity, reference as Hash) : null;
  }

  /**
   * What the foreign side sees as sender: the name kept in the conversation while it is still this sender's, else the
   * verified primary name, else `from`.
   */
  async #shownName({ identity, ghost, payload }: Loaded, conversation: Conversation | null): Promise<EnsName> {
    const { names, conversations, db } = this.parts;
    const name = payload.writesAs ?? payload.sender.name;
    const bare = identity as string as EnsName;
    const kept = conversation?.shownName ?? (await conversations.lastShownName(db, { identity, ghost }));
    if (kept && (kept === bare || (await this.#addressOf(kept, name, identity)) === identity)) return kept;
    const primary = await names.primaryName(identity);
    if (primary) return names.display(primary);
    return parseAddressName(name) ? bare : names.display(name);
  }

  /** The names inside must mean the same two parties as the envelope; spelling is free (names are labels). */
  async #checkParties({ metadata }: Dm3Message, message: Loaded, ghost: Ghost): Promise<void> {
    const { writesAs } = message.payload;
    if (writesAs && (await this.parts.names.resolveAddress(writesAs)) !== message.identity) {
      throw new MessageUnusableError({ reason: 'the dm3 name its sender is linked with has moved' });
    }
    if ((await this.#addressOf(metadata.from, message.payload.sender.name, message.identity)) !== message.identity) {
      throw new MessageUnusableError({ reason: 'it names another sender than its envelope' });
    }
    if ((await this.#addressOf(metadata.to, ghost.name, ghost.address)) !== ghost.address) {
      throw new MessageUnusableError({ reason: 'it names another receiver than its envelope' });
    }
  }

  async #addressOf(text: string, known: EnsName, address: EthAddress): Promise<EthAddress | null> {
    const { names } = this.parts;
    try {
      const name = await names.canonical(text);
      return name === known ? address : await names.resolveAddress(name);
    } catch (error) {
      if (error instanceof InvalidNameError) return null;
      throw error;
    }
  }
}
