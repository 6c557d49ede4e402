import type { Clock } from '../../common/clock.js';
import { errorCode, GatewayError } from '../../common/errors.js';
import type { ConversationId, EnsName, Hash } from '../../common/ids.js';
import type { NameService } from '../../naming/name-service.js';
import { claimedHash } from '../../protocol/envelope/envelope.js';
import type { Tx } from '../../storage/database.js';
import { sendsNotices, type OutgoingNotice } from '../adapter/adapter.js';
import type { AdapterRegistry } from '../adapters.js';
import type { ConversationStore, Parties } from '../conversations/conversation.store.js';
import type { FromDm3Payload } from '../from-dm3/payload.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { MessageStore, StoredMessage } from '../messages/message.store.js';
import { derivedId, ITEM, type MessageQueue } from '../messages/queue.js';
import type { ToDm3Payload } from '../to-dm3/payload.js';
import { noticeText } from './wording.js';

/** Sealed in `message.sealed_payload` of a notice to a foreign network. */
export interface NoticePayload {
  readonly notice: OutgoingNotice;
}

interface Parts {
  readonly ghosts: GhostService;
  readonly adapters: AdapterRegistry;
  readonly conversations: ConversationStore;
  readonly messages: MessageStore;
  readonly queue: MessageQueue;
  readonly names: NameService;
  readonly conversationDays: number;
  readonly clock: Clock;
}

interface AboutDm3Message {
  readonly key: string;
  readonly ghost: Ghost;
  readonly identity: StoredMessage['identity'];
  readonly receiver: EnsName;
  readonly reference: Hash;
  readonly conversation: ConversationId | null;
  readonly reason: string;
}

/**
 * Tells an author once, in his own network, that his message will not arrive. Ids derive from the message, so that no
 * failure is told twice; there is never a notice about a notice.
 */
export class Notices {
  constructor(private readonly parts: Parts) {}

  /** A foreign message did not reach a dm3 user. @returns the failure's code */
  async aboutToDm3(
    tx: Tx,
    message: StoredMessage & { payload: ToDm3Payload },
    error: unknown,
    gaveUp: boolean,
  ): Promise<string> {
    const { payload, identity, network, conversation } = message;
    const code = gaveUp ? 'EXPIRED' : errorCode(error);
    const { origin } = payload;
    if (!origin || !sendsNotices(this.parts.adapters.of(network))) return code;
    const id = derivedId('notice', message.id);
    const notice: OutgoingNotice = {
      id: id.replaceAll('-', '').padEnd(64, '0'),
      to: payload.foreign,
      receiver: payload.writtenAs ?? payload.receiver,
      about: origin.remoteId,
      reason: { code, text: reasonOf(error, gaveUp) },
      conversation: origin.context,
    };
    const ghost = message.ghost;
    const row = { id, direction: 'notice' as const, network, identity, ghost, conversation, payload: { notice } };
    if (await this.parts.messages.add(tx, row)) await this.#queueForeign(tx, id, message, payload);
    return code;
  }

  /** A dm3 message did not reach the foreign side. @returns the failure's code */
  async aboutFromDm3(
    tx: Tx,
    message: StoredMessage & { payload: FromDm3Payload },
    error: unknown,
    gaveUp: boolean,
  ): Promise<string> {
    const { payload, identity, conversation } = message;
    const reference = claimedHash(payload.envelope) ?? payload.encryptedMessageHash;
    const ghost = (await this.parts.ghosts.byAddress(message.ghost, tx))!;
    const reason = reasonOf(error, gaveUp);
    await this.toDm3(tx, {
      key: message.id,
      ghost,
      identity,
      receiver: payload.writesAs ?? payload.sender.name,
      reference,
      conversation,
      reason,
    });
    return gaveUp ? 'EXPIRED' : errorCode(error);
  }

  /** A message from the receiver's ghost that answers the one which failed. */
  async toDm3(tx: Tx, about: AboutDm3Message): Promise<void> {
    const { messages, queue, adapters, names, clock } = this.parts;
    const { ghost, identity, receiver, reference, reason } = about;
    const id = derivedId('notice', about.key);
    const text = noticeText({ receiver: adapters.format(ghost.foreign), name: names.display(ghost.name), reason });
    const payload: ToDm3Payload = {
      foreign: ghost.foreign,
      receiver,
      message: { type: 'reply', text, attachments: [], sentAt: clock.now() },
      identity: null,
      origin: null,
      reference,
    };
    const conversation = about.conversation ?? (await this.#conversation(tx, { identity, ghost: ghost.address }));
    const row = {
      id,
      direction: 'to-dm3' as const,
      network: ghost.network,
      identity,
      ghost: ghost.address,
      conversation,
      payload,
    };
    if (await messages.add(tx, row)) await queue.toDm3(tx, id, ghost.address, identity);
  }

  /** The pair's latest, as for a new message: a conversation of the notice's own would tear the thread apart. */
  async #conversation(tx: Tx, parties: Parties): Promise<ConversationId> {
    const { conversations, conversationDays } = this.parts;
    const known = await conversations.latest(tx, parties, conversationDays);
    return (known ?? (await conversations.open(tx, parties))).id;
  }

  async #queueForeign(tx: Tx, id: StoredMessage['id'], message: StoredMessage, payload: ToDm3Payload): Promise<void> {
    const { identity, ghost, network } = message;
    const destination = this.parts.adapters.of(network).destinationOf(payload.foreign);
    await this.parts.queue.toForeign(tx, id, ITEM.notice, { from: identity, to: ghost, network, destination });
  }
}

/** A named error's sentence is meant for the author; anything else is ours to keep. */
function reasonOf(error: unknown, gaveUp: boolean): string {
  const said = error instanceof GatewayError ? error.message : 'An unexpected fault on our side.';
  return gaveUp ? `It was tried until its time was over. Last answer: ${said}` : said;
}
