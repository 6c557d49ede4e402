import { errorCode, GatewayError, isRetryable } from '../../common/errors.js';
import type { ConversationId, EthAddress, Hash, MessageId } from '../../common/ids.js';
import type { AccountService } from '../../delivery/accounts/account.service.js';
import type { ForwardingService, Parcel } from '../../delivery/forwarding/forwarding.service.js';
import type { Origin } from '../../delivery/submission/origin.js';
import type { NameService } from '../../naming/name-service.js';
import type { EventLog } from '../../ops/event-log.js';
import { killPoint } from '../../ops/kill-points.js';
import type { Claim, ClaimedItem, ItemHandler } from '../../outbox/item-handler.js';
import { encryptText } from '../../protocol/crypto/payload.js';
import type { CryptoProvider, RandomBytes } from '../../protocol/crypto/provider.js';
import { toBase64 } from '../../protocol/encoding/base64.js';
import { stringify } from '../../protocol/encoding/stringify.js';
import { encryptedMessageHash, type Dialect } from '../../protocol/envelope/envelope.js';
import { messageHash, signMessage } from '../../protocol/envelope/message.js';
import type { UserProfile } from '../../protocol/profile/user-profile.js';
import type { Database, Tx } from '../../storage/database.js';
import type { ConversationTokens } from '../conversations/token.js';
import type { CurrentKeys, Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { MessageMapStore } from '../messages/message-map.store.js';
import { isReadable, type MessageStore, type StoredMessage } from '../messages/message.store.js';
import type { MessageTraceStore } from '../messages/message-trace.store.js';
import { neutralFromJson } from '../messages/neutral-json.js';
import { noteOf } from '../messages/note.js';
import { DM3_LANE, type MessageQueue } from '../messages/queue.js';
import type { Notices } from '../notices/notices.js';
import { composeMessage, isLeftOut } from './compose.js';
import { originOf } from './origin.js';
import type { FrozenParcel, ToDm3Payload } from './payload.js';

interface Parts {
  readonly crypto: CryptoProvider;
  readonly random: RandomBytes;
  readonly db: Database;
  readonly names: NameService;
  readonly accounts: AccountService;
  readonly forwarding: ForwardingService;
  readonly ghosts: GhostService;
  readonly tokens: ConversationTokens;
  readonly messages: MessageStore;
  readonly map: MessageMapStore;
  readonly notices: Notices;
  readonly trace: MessageTraceStore;
  readonly queue: MessageQueue;
  readonly log: EventLog;
}

interface Receiver {
  readonly profile: UserProfile;
  readonly encryptionKey: Uint8Array;
}

/** The ghost that signs, with the keys that it has now. */
type Author = Ghost & Pick<CurrentKeys, 'keys'>;

type Loaded = StoredMessage & { readonly payload: ToDm3Payload; readonly frozen: FrozenParcel | null };

/** The name the message was written to belongs to somebody else now: nothing is inherited. */
class IdentityMovedError extends GatewayError {
  constructor() {
    const message = 'The name belongs to another address now than when the message was accepted.';
    super({ code: 'IDENTITY_MOVED', kind: 'not-found', message });
  }
}

/** Refused within the time in which others may believe the former profile: to them the signature is a forgery. */
class NewlyKeyedError extends GatewayError {
  constructor({ cause }: { cause: GatewayError }) {
    super({ code: 'NEWLY_KEYED', kind: 'unavailable', message: cause.message, retryable: true, cause });
  }
}

/** Signs, encrypts and delivers accepted foreign messages (and notices) to dm3 users. */
export class ToDm3Handler implements ItemHandler {
  constructor(private readonly parts: Parts) {}

  async handle(claim: Claim): Promise<((tx: Tx) => Promise<void>) | void> {
    const { db, messages, notices, forwarding, queue, log } = this.parts;
    const message = await messages.load<ToDm3Payload, FrozenParcel>(db, claim.ref);
    if (!message || message.state === 'delivered') return undefined;
    const { attempt } = claim;
    if (await notices.isObsolete(db, message.payload))
      return (tx) => messages.delivered(tx, message.id, { attempt, code: 'NOTICE_OBSOLETE' });
    const ghost = await this.#author(message);
    const receiver = await this.#receiver(message);
    const service = forwarding.firstService(receiver.profile);
    if (service) claim.routedTo(queue.lane(DM3_LANE, service));
    const frozen = await this.#frozen(claim, message, ghost, receiver);
    if (!frozen)
      return async (tx) => {
        await messages.delivered(tx, message.id, { attempt, code: 'REFERENCE_UNKNOWN' });
        await notices.arrivedToDm3(tx, message);
      };
    const { name: from } = ghost;
    const deliveryInformation = { to: message.payload.receiver, from };
    const sender = { senderAddress: ghost.address, senderSigningKey: ghost.keys.signing.privateKey };
    const parcel = { ...frozen, deliveryInformation, ...sender };
    const dialect = await this.#forward(parcel, receiver, message, ghost);
    killPoint('to-dm3.forwarded');
    return async (tx) => {
      await this.#remember(tx, message, frozen, dialect);
      await messages.delivered(tx, message.id, { attempt });
      await notices.arrivedToDm3(tx, message);
      log.info('message.delivered', { id: message.id, network: 'dm3', attempt });
    };
  }

  async fail(tx: Tx, item: ClaimedItem, error: unknown): Promise<void> {
    const { messages, notices } = this.parts;
    const message = await messages.loadToFail<ToDm3Payload, FrozenParcel>(tx, item.ref);
    if (!message) return;
    const code = isReadable(message)
      ? await notices.aboutToDm3(tx, message, error, isRetryable(error))
      : errorCode(error);
    await messages.failed(tx, message.id, { ...noteOf(item, error), code });
  }

  async postponed(tx: Tx, item: ClaimedItem, error: unknown, nextAt: Date): Promise<void> {
    await this.parts.messages.postponed(tx, item.ref as MessageId, { ...noteOf(item, error), nextAt });
  }

  async delayed(tx: Tx, item: ClaimedItem): Promise<void> {
    const { messages, notices } = this.parts;
    const message = await messages.loadToFail<ToDm3Payload, FrozenParcel>(tx, item.ref);
    if (!message || !isReadable(message) || !(await notices.delayOfToDm3(tx, message, item.expiresAt))) return;
    await messages.delayTold(tx, message.id);
  }

  async #author({ payload }: Loaded): Promise<Author> {
    const ghost = this.parts.ghosts.ofForeign(payload.foreign);
    return { ...ghost, ...(await this.parts.ghosts.currentKeys(ghost)) };
  }

  async #forward(parcel: Parcel, { profile }: Receiver, message: Loaded, ghost: Ghost): Promise<Dialect> {
    const { forwarding, ghosts } = this.parts;
    try {
      return await forwarding.forward(parcel, profile, this.#originOf(message));
    } catch (cause) {
      if (isRetryable(cause) || !(await ghosts.isNewlyKeyed(ghost))) throw cause;
      throw new NewlyKeyedError({ cause: cause as GatewayError });
    }
  }

  #originOf({ payload, network, identity, ghost }: Loaded): Origin {
    const { identity: sender } = payload;
    return sender ? originOf(this.parts, { network, sender, identity, ghost }) : 'notice';
  }

  async #receiver({ payload, identity }: Loaded): Promise<Receiver> {
    const address = await this.parts.names.resolveAddress(payload.receiver);
    if (address !== identity) throw new IdentityMovedError();
    const { profile, keys } = await this.parts.accounts.profileOf(payload.receiver, identity);
    return { profile, encryptionKey: keys.encryption };
  }

  /**
   * The ciphertext that every attempt sends, so that a receiver can tell a repeat. A crash before the commit loses
   * only work; after it the same bytes go out again.
   * @returns null for what is left out
   */
  async #frozen(claim: Claim, message: Loaded, ghost: Author, receiver: Receiver): Promise<FrozenParcel | null> {
    if (message.frozen?.receiverKey === toBase64(receiver.encryptionKey)) return message.frozen;
    const frozen = await this.#freeze(message, ghost, receiver);
    if (!frozen) return null;
    await claim.commit(async (tx) => {
      await this.#remember(tx, message, frozen, 'messageHash');
      await this.parts.trace.add(tx, message.id, [frozen.messageHash, frozen.encryptedMessageHash]);
      await this.parts.messages.freeze(tx, message.id, frozen, null);
    });
    killPoint('to-dm3.frozen');
    return frozen;
  }

  async #freeze(message: Loaded, ghost: Author, receiver: Receiver): Promise<FrozenParcel | null> {
    const { crypto, random, tokens } = this.parts;
    const { payload, identity, conversation } = message;
    const reference = payload.reference ?? (await this.#referenceOf(payload, identity, ghost));
    if (isLeftOut(payload.message, reference) || (payload.onlyIfKnown && !reference)) return null;
    const composed = composeMessage({
      from: ghost.name,
      to: payload.receiver,
      message: neutralFromJson(payload.message),
      identity: payload.identity,
      reference,
      replyToken: tokens.issue(conversation as ConversationId),
    });
    const signed = signMessage(crypto, composed, ghost.keys.signing.privateKey);
    const encryptedMessage = encryptText(crypto, receiver.encryptionKey, stringify(signed), random);
    return {
      receiverKey: toBase64(receiver.encryptionKey),
      encryptedMessage,
      messageHash: messageHash(crypto, signed),
      encryptedMessageHash: encryptedMessageHash(crypto, encryptedMessage),
      messageType: signed.metadata.type,
    };
  }

  /** The dm3 hash of the nearest message it answers that this receiver knows. */
  async #referenceOf({ origin }: ToDm3Payload, identity: EthAddress, ghost: Ghost): Promise<Hash | null> {
    for (const remoteId of origin?.inReplyTo ?? []) {
      const mapped = await this.parts.map.byRemote(this.parts.db, identity, ghost.network, remoteId);
      if (mapped) return mapped.referredBy;
    }
    return null;
  }

  async #remember(tx: Tx, message: Loaded, frozen: FrozenParcel, dialect: Dialect): Promise<void> {
    const { origin } = message.payload;
    if (!origin || !message.conversation) return;
    const { messageHash, encryptedMessageHash } = frozen;
    const ids = { messageHash, encryptedMessageHash, referredBy: frozen[dialect], remoteId: origin.remoteId };
    const { identity: owner, network, conversation } = message;
    await this.parts.map.add(tx, { owner, network, conversation, ids });
  }
}
