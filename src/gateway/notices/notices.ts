import type { Clock } from '../../common/clock.js';
import { errorCode, GatewayError } from '../../common/errors.js';
import type { ConversationId, EnsName, Hash, MessageId } from '../../common/ids.js';
import type { NameService } from '../../naming/name-service.js';
import { claimedHash } from '../../protocol/envelope/envelope.js';
import type { Queryable, Tx } from '../../storage/database.js';
import { followsDelays, sendsNotices, type OutgoingNotice } from '../adapter/adapter.js';
import type { AdapterRegistry } from '../adapters.js';
import type { ConversationStore, Parties } from '../conversations/conversation.store.js';
import type { FromDm3Payload } from '../from-dm3/payload.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { MessageStore, StoredMessage } from '../messages/message.store.js';
import { derivedId, ITEM, type MessageQueue } from '../messages/queue.js';
import { WAITING_STATES } from '../messages/transitions.js';
import type { ToDm3Payload } from '../to-dm3/payload.js';
import { delayText, noticeText } from './wording.js';

/** Sealed in `message.sealed_payload` of a notice to a foreign network. */
export interface NoticePayload {
  readonly notice: OutgoingNotice;
  /** Our id of what waits, where the notice tells of a delay. */
  readonly delayOf?: MessageId;
  /** Our id of the notice of a delay that this one only takes back. */
  readonly takesBack?: MessageId;
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

type Foreign = StoredMessage & { readonly payload: ToDm3Payload };
type FromDm3 = StoredMessage & { readonly payload: FromDm3Payload };

interface AboutDm3Message {
  /** Notices about the same are one. */
  readonly key: string;
  readonly status?: 'failed' | 'delayed';
  readonly delayOf?: MessageId;
  readonly ghost: Ghost;
  readonly identity: StoredMessage['identity'];
  readonly receiver: EnsName;
  readonly reference: Hash;
  readonly conversation: ConversationId | null;
  readonly reason: string;
}

/**
 * Tells an author once, in his own network, that his message will not arrive, or that it waits. Ids derive from the
 * message, so that nothing is told twice; there is never a notice about a notice.
 */
export class Notices {
  constructor(private readonly parts: Parts) {}

  /** A foreign message did not reach a dm3 user. @returns the failure's code */
  async aboutToDm3(tx: Tx, message: Foreign, error: unknown, gaveUp: boolean): Promise<string> {
    const code = gaveUp ? 'EXPIRED' : errorCode(error);
    const id = derivedId('notice', message.id);
    const told = await this.#toldDelay(tx, message);
    const what = { status: 'failed' as const, reason: { code, text: reasonOf(error, gaveUp) } };
    await this.#toForeign(tx, message, id, { ...what, ...(told && { replaces: noticeId(told) }) });
    return code;
  }

  /** A foreign message needs no more waiting for: what its author was told of a delay is taken back, where that can be. */
  async arrivedToDm3(tx: Tx, message: Foreign): Promise<void> {
    const told = await this.#toldDelay(tx, message);
    if (!told) return;
    const reason = { code: 'ARRIVED', text: 'It has arrived.' };
    const what = { status: 'arrived' as const, reason, replaces: noticeId(told) };
    await this.#toForeign(tx, message, derivedId('arrived', message.id), what, { takesBack: told });
  }

  /** A dm3 message did not reach the foreign side. @returns the failure's code */
  async aboutFromDm3(tx: Tx, message: FromDm3, error: unknown, gaveUp: boolean): Promise<string> {
    await this.toDm3(tx, { ...(await this.#aboutDm3(tx, message)), reason: reasonOf(error, gaveUp) });
    return gaveUp ? 'EXPIRED' : errorCode(error);
  }

  /** A foreign message still waits. @returns false if its author is not told: it is a notice itself, or he cannot be */
  async delayOfToDm3(tx: Tx, message: Foreign, until: Date): Promise<boolean> {
    const reason = { code: 'DELAYED', text: delayText(until) };
    const delay = { status: 'delayed' as const, until: until.getTime(), reason };
    return this.#toForeign(tx, message, derivedId('delay', message.id), delay);
  }

  /** A dm3 message still waits. */
  async delayOfFromDm3(tx: Tx, message: FromDm3, until: Date): Promise<boolean> {
    const about = { ...(await this.#aboutDm3(tx, message)), reason: delayText(until) };
    await this.toDm3(tx, { ...about, key: `delay ${message.id}`, status: 'delayed', delayOf: message.id });
    return true;
  }

  /** Whether a notice of a delay has nothing to tell any more, or one that takes it back nothing to take back. */
  async isObsolete(
    db: Queryable,
    { delayOf, takesBack }: Pick<NoticePayload, 'delayOf' | 'takesBack'>,
  ): Promise<boolean> {
    const subject = delayOf ?? takesBack;
    const found = subject && (await this.parts.messages.find(db, subject));
    if (delayOf) return !(found && WAITING_STATES.includes(found.state));
    return takesBack !== undefined && !(found?.state === 'delivered' && found.code === null);
  }

  /** The notice of a delay that stands on a network where it can be taken back; it may not have left yet. */
  async #toldDelay(tx: Tx, { id, network, payload }: Foreign): Promise<MessageId | null> {
    // Asked after the message has left: a network that was switched off meanwhile must not have it sent again.
    const adapter = this.parts.adapters.find(network);
    if (!payload.origin || !adapter || !followsDelays(adapter)) return null;
    return (await this.parts.messages.find(tx, derivedId('delay', id)))?.id ?? null;
  }

  async #aboutDm3(tx: Tx, { id, ghost, identity, conversation, payload }: FromDm3) {
    return {
      key: id as string,
      ghost: (await this.parts.ghosts.byAddress(ghost, tx))!,
      identity,
      conversation,
      receiver: payload.writesAs ?? payload.sender.name,
      reference: claimedHash(payload.envelope) ?? payload.encryptedMessageHash,
    };
  }

  async #toForeign(
    tx: Tx,
    message: Foreign,
    id: MessageId,
    what: Pick<OutgoingNotice, 'status' | 'until' | 'reason' | 'replaces'>,
    more: Pick<NoticePayload, 'takesBack'> = {},
  ): Promise<boolean> {
    const { payload, identity, ghost, network, conversation } = message;
    const { origin } = payload;
    if (!origin || !sendsNotices(this.parts.adapters.of(network))) return false;
    const notice: OutgoingNotice = {
      ...what,
      id: noticeId(id),
      to: payload.foreign,
      receiver: payload.writtenAs ?? payload.receiver,
      about: origin.remoteId,
      conversation: origin.context,
    };
    const delayOf = what.status === 'delayed' ? message.id : undefined;
    const row = { id, direction: 'notice' as const, network, identity, ghost, conversation };
    const isNew = await this.parts.messages.add(tx, { ...row, payload: { notice, delayOf, ...more } });
    if (isNew) await this.#queueForeign(tx, id, message, payload);
    return isNew;
  }

  /** A message from the receiver's ghost that answers the one which failed. */
  async toDm3(tx: Tx, about: AboutDm3Message): Promise<void> {
    const { messages, queue, adapters, names, clock } = this.parts;
    const { ghost, identity, receiver, reference, reason, status = 'failed', delayOf } = about;
    const id = derivedId('notice', about.key);
    const shown = { receiver: adapters.format(ghost.foreign), name: names.display(ghost.name) };
    const text = noticeText({ ...shown, reason, status });
    const payload: ToDm3Payload = {
      foreign: ghost.foreign,
      receiver,
      message: { type: 'reply', text, attachments: [], sentAt: clock.now() },
      identity: null,
      origin: null,
      reference,
      delayOf,
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
    if (await messages.add(tx, row)) await queue.toDm3(tx, id, { from: ghost.address, to: identity });
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

/** As networks know it. */
function noticeId(id: MessageId): string {
  return id.replaceAll('-', '').padEnd(64, '0');
}

/** A named error's sentence is meant for the author; anything else is ours to keep. */
function reasonOf(error: unknown, gaveUp: boolean): string {
  const said = error instanceof GatewayError ? error.message : 'An unexpected fault on our side.';
  return gaveUp ? `It was tried until its time was over. Last answer: ${said}` : said;
}
