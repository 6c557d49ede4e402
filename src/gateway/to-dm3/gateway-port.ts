import { randomUUID } from 'node:crypto';
import type { ConversationId, EnsName, ForeignAddress, MessageId, NetworkId, RemoteId } from '../../common/ids.js';
import type { AccountService } from '../../delivery/accounts/account.service.js';
import type { ForwardingService } from '../../delivery/forwarding/forwarding.service.js';
import { InvalidForeignAddressError } from '../../naming/alias/codec.js';
import { InvalidNameError, normaliseName } from '../../naming/ens-name.js';
import { NameNotFoundError } from '../../naming/errors.js';
import type { NameService } from '../../naming/name-service.js';
import type { Pictures } from '../../naming/pictures.js';
import type { EventLog } from '../../ops/event-log.js';
import { killPoint } from '../../ops/kill-points.js';
import type { QueuePressure } from '../../outbox/pressure.js';
import { rememberOnce, SEEN_SECONDS } from '../../outbox/seen.js';
import type { Database, Tx } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import type { Acceptance, ForeignMessage, GatewayPort, LinkDesk, Picture, Target } from '../adapter/adapter.js';
import { RelayRefusedError } from '../adapter/errors.js';
import type { Attachments } from '../attachments/attachments.js';
import type { Shrunk } from '../attachments/shrink.js';
import type { ConversationStore } from '../conversations/conversation.store.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { LinkDeskService } from '../links/link-desk.js';
import type { RelayPolicy } from '../links/relay-policy.js';
import type { MessageMapStore } from '../messages/message-map.store.js';
import type { MessageStore } from '../messages/message.store.js';
import type { MessageTraceStore } from '../messages/message-trace.store.js';
import { neutralToJson } from '../messages/neutral-json.js';
import type { MessageQueue } from '../messages/queue.js';
import type { Notices } from '../notices/notices.js';
import { fitToReceivers } from './fit-size.js';
import type { ToDm3Payload } from './payload.js';
import type { ReceiverRules } from './receiver-rules.js';

interface Parts {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly names: NameService;
  readonly pictures: Pictures;
  readonly accounts: AccountService;
  readonly forwarding: ForwardingService;
  readonly ghosts: GhostService;
  readonly conversations: ConversationStore;
  readonly messages: MessageStore;
  readonly map: MessageMapStore;
  readonly trace: MessageTraceStore;
  readonly queue: MessageQueue;
  readonly notices: Notices;
  readonly relay: RelayPolicy;
  readonly links: LinkDeskService;
  readonly rules: ReceiverRules;
  readonly pressure: QueuePressure;
  readonly attachments: Attachments;
  readonly log: EventLog;
}

/** A message that is being accepted. */
interface Arrival {
  readonly message: ForeignMessage;
  readonly ghost: Ghost;
  /** For receivers who do not get it as it came. */
  readonly fitted: ReadonlyMap<Target, Shrunk>;
}

/** The core's door for adapters. */
export class GatewayPortService implements GatewayPort {
  constructor(private readonly parts: Parts) {}

  get links(): LinkDesk {
    return this.parts.links;
  }

  checkPressure(): void {
    this.parts.pressure.checkQueue();
  }

  async lookup(receiver: string, from?: ForeignAddress): Promise<Target> {
    const { names, ghosts, accounts, forwarding, relay, attachments } = this.parts;
    const { name, ...written } = await this.#nameOf(receiver);
    const ghost = await ghosts.byName(name);
    if (ghost) await relay.checkSender(from);
    const address = ghost ? ghost.address : await names.resolveAddress(name);
    if (!address) throw new NameNotFoundError({ name });
    if (!ghost && (await ghosts.byAddress(address))) throw new RelayRefusedError();
    const { profile } = await accounts.profileOf(name, address);
    const service = forwarding.firstService(profile);
    const linkedBytes = attachments.shelf?.maxBytesPerMessage ?? 0;
    return { name, ...written, address, sizeLimit: await forwarding.sizeLimit(profile), service, linkedBytes };
  }

  async receive(message: ForeignMessage): Promise<Acceptance> {
    this.checkPressure();
    const ghost = this.parts.ghosts.ofForeign(message.from);
    await this.parts.relay.check(message);
    const fitted = fitToReceivers(message, ghost, this.parts.attachments.shelf);
    await this.parts.rules.check(message, ghost);
    const results = await this.parts.db.transaction((tx) => this.#commit(tx, { message, ghost, fitted }));
    killPoint('receive.committed');
    const accepted = results.find(({ status }) => status === 'accepted') ?? results[0]!;
    this.parts.log.info('message.received', {
      id: accepted.id,
      network: message.network,
      state: accepted.status,
      count: results.length,
      verdict: message.identity.verdict,
    });
    return accepted;
  }

  pictureOf(name: EnsName, known: string | null): Promise<Picture | 'unchanged' | null> {
    return this.parts.pictures.of(name, known);
  }

  aliasOf(address: ForeignAddress): EnsName | null {
    try {
      return this.parts.ghosts.ofForeign(address).name;
    } catch (error) {
      if (error instanceof InvalidForeignAddressError) return null;
      throw error;
    }
  }

  async reportFailure(report: { network: NetworkId; remoteId: RemoteId; code: string; text: string }): Promise<void> {
    const { db, map, conversations, ghosts, notices, names } = this.parts;
    const mapped = await map.byOwnRemote(db, report.network, report.remoteId);
    const held = mapped && (await conversations.between(db, mapped.conversation));
    const ghost = held && (await ghosts.byAddress(held.ghost));
    if (!mapped || !held || !ghost) return;
    const { owner: identity, referredBy: reference, conversation } = mapped;
    const receiver = held.shownName ? (await this.#nameOf(held.shownName)).name : names.addressName(identity);
    const about = {
      key: `report ${report.remoteId}`,
      ghost,
      identity,
      receiver,
      reference,
      conversation,
      reason: report.text,
    };
    await db.transaction((tx) => notices.toDm3(tx, about));
  }

  async #commit(tx: Tx, arrival: Arrival): Promise<Acceptance[]> {
    const results: Acceptance[] = [];
    await this.parts.ghosts.remember(tx, arrival.ghost);
    // One order for all transactions: two mails to the same people must not wait for each other's locks.
    const targets = [...arrival.message.to].sort((a, b) => (a.address < b.address ? -1 : 1));
    for (const target of targets) results.push(await this.#accept(tx, arrival, target));
    killPoint('receive.committing');
    return results;
  }

  async #accept(tx: Tx, { message, ghost, fitted }: Arrival, target: Target): Promise<Acceptance> {
    const { sealer, messages, queue, trace, attachments } = this.parts;
    const id = randomUUID() as MessageId;
    const key = sealer.keyedHash('seen foreign', message.network, target.address, message.dedup);
    const seen = await rememberOnce(tx, key, id, SEEN_SECONDS);
    if (!seen.first) return { status: 'duplicate', id: seen.ref };
    const conversation = await this.#conversation(tx, message, ghost, target);
    const fit = fitted.get(target);
    await attachments.keep(tx, target.address, fit?.files ?? []);
    await messages.add(tx, {
      id,
      direction: 'to-dm3',
      network: message.network,
      identity: target.address,
      ghost: ghost.address,
      conversation,
      payload: payloadOf(fit ? { ...message, message: fit.message } : message, ghost, target),
    });
    await trace.add(tx, id, [message.remoteId]);
    const { service } = target;
    await queue.toDm3(tx, id, { from: ghost.address, to: target.address, service, isBulk: message.isBulk });
    return { status: 'accepted', id };
  }

  /** The one of the message it answers, else a new one. */
  async #conversation(tx: Tx, message: ForeignMessage, ghost: Ghost, target: Target): Promise<ConversationId> {
    const { conversations } = this.parts;
    const parties = { identity: target.address, ghost: ghost.address };
    const answered = await this.#answered(tx, message, target);
    const known = answered && (await conversations.find(tx, answered, parties));
    const { id } = known ?? (await conversations.open(tx, parties));
    const shownName = known?.shownName ?? target.writtenAs ?? target.name;
    await conversations.touch(tx, id, { context: message.conversation, shownName });
    return id;
  }

  async #answered(tx: Tx, message: ForeignMessage, target: Target): Promise<ConversationId | null> {
    for (const remoteId of message.inReplyTo) {
      const mapped = await this.parts.map.byRemote(tx, target.address, message.network, remoteId);
      if (mapped) return mapped.conversation;
    }
    return null;
  }

  async #nameOf(receiver: string): Promise<Pick<Target, 'name' | 'writtenAs'>> {
    const { names } = this.parts;
    const ofAddress = await names.nameOfAddress(receiver);
    if (ofAddress) return { name: ofAddress };
    try {
      const name = await names.canonical(receiver);
      const writtenAs = normaliseName(receiver);
      return writtenAs === name ? { name } : { name, writtenAs };
    } catch (error) {
      if (error instanceof InvalidNameError) throw new NameNotFoundError({ name: receiver as EnsName });
      throw error;
    }
  }
}

function payloadOf(message: ForeignMessage, ghost: Ghost, target: Target): ToDm3Payload {
  const { remoteId, inReplyTo, conversation: context, onlyIfKnown } = message;
  return {
    foreign: ghost.foreign,
    receiver: target.name,
    writtenAs: target.writtenAs,
    message: neutralToJson(message.message),
    identity: message.identity,
    origin: { remoteId, inReplyTo, context },
    reference: null,
    ...(onlyIfKnown ? { onlyIfKnown } : {}),
  };
}
