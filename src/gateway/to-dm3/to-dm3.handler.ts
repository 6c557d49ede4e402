import { GatewayError, isRetryable } from '../../common/errors.js';
import type { ConversationId, EthAddress, Hash } from '../../common/ids.js';
import type { AccountService } from '../../delivery/accounts/account.service.js';
import type { ForwardingService } from '../../delivery/forwarding/forwarding.service.js';
import type { Origin } from '../../delivery/submission/origin.js';
import type { NameService } from '../../naming/name-service.js';
import type { EventLog } from '../../ops/event-log.js';
import type { Claim, ClaimedItem, ItemHandler } from '../../outbox/outbox-worker.js';
import { encryptText } from '../../protocol/crypto/payload.js';
import type { CryptoProvider, RandomBytes } from '../../protocol/crypto/provider.js';
import { toBase64 } from '../../protocol/encoding/base64.js';
import { stringify } from '../../protocol/encoding/stringify.js';
import { encryptedMessageHash, type Dialect } from '../../protocol/envelope/envelope.js';
import { messageHash, signMessage } from '../../protocol/envelope/message.js';
import type { UserProfile } from '../../protocol/profile/user-profile.js';
import type { Database, Tx } from '../../storage/database.js';
import type { ConversationTokens } from '../conversations/token.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { MessageMapStore } from '../messages/message-map.store.js';
import type { MessageStore, StoredMessage } from '../messages/message.store.js';
import { neutralFromJson } from '../messages/neutral-json.js';
import type { Notices } from '../notices/notices.js';
import { composeMessage } from './compose.js';
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
  readonly log: EventLog;
}

interface Receiver {
  readonly profile: UserProfile;
  readonly encryptionKey: Uint8Array;
}

type Loaded = StoredMessage & { readonly payload: ToDm3Payload; readonly frozen: FrozenParcel | null };

/** The name the message was written to belongs to somebody else now: nothing is inherited. */
class IdentityMovedError extends GatewayError {
  constructor() {
    const message = 'The name belongs to another address now than when the message was accepted.';
    super({ code: 'IDENTITY_MOVED', kind: 'not-found', message });
  }
}

/** Signs, encrypts and delivers accepted foreign messages (and notices) to dm3 users. */
export class ToDm3Handler implements ItemHandler {
  constructor(private readonly parts: Parts) {}

  async handle(claim: Claim): Promise<((tx: Tx) => Promise<void>) | void> {
    const { db, messages, ghosts, forwarding, log } = this.parts;
    const message = await messages.load<ToDm3Payload, FrozenParcel>(db, claim.ref);
    if (!message || message.state === 'delivered') return undefined;
    const ghost = ghosts.ofForeign(message.payload.foreign);
    const receiver = await this.#receiver(message);
    const frozen = await this.#frozen(claim, message, ghost, receiver);
    const { name: from } = ghost;
    const deliveryInformation = { to: message.payload.receiver, from };
    const sender = { senderAddress: ghost.address, senderSigningKey: ghost.keys.signing.privateKey };
    const parcel = { ...frozen, deliveryInformation, ...sender };
    const dialect = await forwarding.forward(parcel, receiver.profile, this.#originOf(message));
    return async (tx) => {
      await this.#remember(tx, message, frozen, dialect);
      await messages.delivered(tx, message.id);
      log.info('message.delivered', { id: message.id, network: 'dm3', attempt: claim.attempt });
    };
  }

  async fail(tx: Tx, item: ClaimedItem, error: unknown): Promise<void> {
    const { messages, notices } = this.parts;
    const message = await messages.load<ToDm3Payload, FrozenParcel>(tx, item.ref);
    if (!message) return;
    await messages.failed(tx, message.id, await notices.aboutToDm3(tx, message, error, isRetryable(error)));
  }

  #originOf({ payload, network, identity, ghost }: Loaded): Origin {
    const { db, messages } = this.parts;
    if (!payload.identity) return 'notice';
    const authenticated = payload.identity.verdict === 'verified';
    return { network, authenticated, isKnown: () => messages.hasWritten(db, identity, ghost) };
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
   */
  async #frozen(claim: Claim, message: Loaded, ghost: Ghost, receiver: Receiver): Promise<FrozenParcel> {
    if (message.frozen?.receiverKey === toBase64(receiver.encryptionKey)) return message.frozen;
    const frozen = await this.#freeze(message, ghost, receiver);
    await claim.commit(async (tx) => {
      await this.#remember(tx, message, frozen, 'messageHash');
      await this.parts.messages.freeze(tx, message.id, frozen, null);
    });
    return frozen;
  }

  async #freeze({ payload, identity, conversation }: Loaded, ghost: Ghost, receiver: Receiver): Promise<FrozenParcel> {
    const { crypto, random, tokens } = this.parts;
    const composed = composeMessage({
      from: ghost.name,
      to: payload.receiver,
      message: neutralFromJson(payload.message),
      identity: payload.identity,
      reference: payload.reference ?? (await this.#referenceOf(payload, identity, ghost)),
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
