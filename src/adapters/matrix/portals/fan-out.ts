import { GatewayError } from '../../../common/errors.js';
import type { EnsName, RemoteId } from '../../../common/ids.js';
import type { ForeignMessage, GatewayPort, Target } from '../../../gateway/adapter/adapter.js';
import { killPoint } from '../../../ops/kill-points.js';
import type { Database } from '../../../storage/database.js';
import type { MatrixApi } from '../api.js';
import type { MatrixBot } from '../bot.js';
import type { MatrixConfig } from '../config.js';
import { aboutIn, RECEIPT, type MatrixEvent } from '../event.js';
import type { EventStore } from '../event.store.js';
import type { MatrixMessage } from '../from-matrix.js';
import type { InboxStore } from '../inbox.store.js';
import type { MediaBudget } from '../media-budget.js';
import { fetchFile, type HeldFile } from '../media.js';
import { MATRIX } from '../network.js';
import { messageOf, partId } from '../part-id.js';
import { shortList } from '../text.js';
import { eventLater, lineOf, wordLater, type Word } from './follow-up.js';
import type { Member, MemberStore } from './member.store.js';
import type { Portal } from './portal.store.js';
import type { MatrixPortals } from './portals.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly port: GatewayPort;
  readonly config: MatrixConfig;
  readonly bot: MatrixBot;
  readonly budget: MediaBudget;
  readonly events: EventStore;
  readonly members: MemberStore;
  readonly portals: MatrixPortals;
  readonly inbox: Pick<InboxStore, 'busyRooms'>;
  /** Puts events among those that the homeserver brings. */
  readonly bring: (events: readonly MatrixEvent[]) => Promise<unknown>;
  readonly now: () => number;
}

/** Whom a message goes to, by what the core knows of him now. */
interface Receiver {
  readonly member: Member;
  readonly target: Target;
}

interface Failure {
  readonly member: Member;
  readonly error: GatewayError;
}

/** An event, and what it says. */
interface Passage {
  readonly event: MatrixEvent;
  readonly said: MatrixMessage;
  /** How people are told who speaks; reactions, deletions and receipts have no room for it. */
  readonly author: string;
}

/** What the gateway cannot do for anybody just now: the room waits. */
const OF_EVERYBODY = new Set(['OVERLOADED', 'STORAGE_UNAVAILABLE', 'STORAGE_KEY_MISSING']);

/** The name is somebody else's now: he was never asked into the room. */
class MemberMovedError extends GatewayError {
  constructor({ name }: { name: EnsName }) {
    const message = `The name ${name} belongs to somebody else now, so it has left this room.`;
    super({ code: 'NAME_MOVED', kind: 'not-found', message });
  }
}

/**
 * What is said in a portal room, to each member in dm3 but its author. Each gets a message of his own, so that one who
 * cannot be reached holds up nobody else; what runs again after a crash is a repeat to those who have it. Who cannot
 * get it now has a line of his own from then on, so that he gets everything in its order.
 */
export class FanOut {
  constructor(private readonly parts: Parts) {}

  async pass(portal: Portal, passage: Passage): Promise<void> {
    const { event, said } = passage;
    const { free, behind } = await this.#apart(portal, await this.#receivers(portal, event, said));
    await this.#putOff(portal, event, behind);
    const { found, failed } = await this.#resolve(portal, free);
    const refused = await this.#hand(portal, passage, found);
    const later = refused.filter(({ error }) => error.retryable).map(({ member }) => member);
    await this.#putOff(portal, event, later);
    failed.push(...refused.filter(({ error }) => !error.retryable));
    await this.#report(portal, event, failed);
  }

  /** The same in a member's own line. @throws what may pass, and holds up nothing but that */
  async passTo(portal: Portal, passage: Passage, member: Member): Promise<void> {
    const { found, failed } = await this.#resolve(portal, [member]);
    failed.push(...(await this.#hand(portal, passage, found)));
    const passing = failed.find(({ error }) => error.retryable);
    if (passing) throw passing.error;
    await this.#report(portal, passage.event, failed, member.id);
  }

  /** A member's line has been tried for long enough. */
  async giveUp(portal: Portal, event: MatrixEvent, member: Member, error: unknown): Promise<void> {
    if (!(error instanceof GatewayError)) return this.#tellOf(portal, event, [`- ${member.name}`], member.id);
    await this.#report(portal, event, [{ member, error }], member.id);
  }

  /** Something that the room itself says to a member: it is nobody's message, and nobody hears of its failure. */
  async tell(portal: Portal, target: Target, purpose: string, text: string): Promise<void> {
    const { bring, inbox, db } = this.parts;
    const line = lineOf({ portalId: portal.id, identity: target.address });
    const isBehind = (await inbox.busyRooms(db, [line])).length > 0;
    const word = { target, purpose, text };
    const error = isBehind ? null : await this.#refusalOf(this.#wordFrom(portal, word));
    if (isBehind || error?.retryable) await bring([wordLater(portal, word)]);
  }

  /** The same in the member's own line. @throws what may pass */
  async tellNow(portal: Portal, word: Word): Promise<void> {
    const error = await this.#refusalOf(this.#wordFrom(portal, word));
    if (error?.retryable) throw error;
  }

  #wordFrom({ address, roomId }: Portal, { target, purpose, text }: Word): ForeignMessage {
    const { bot, now } = this.parts;
    const id = partId({ message: messageOf(`portal ${purpose} ${target.address}`), index: 0 });
    return {
      network: MATRIX,
      remoteId: id,
      from: address,
      identity: { verdict: 'verified', detail: 'the gateway itself' },
      to: [target],
      message: { type: 'new', text, attachments: [], sentAt: now() },
      dedup: id,
      inReplyTo: [],
      conversation: { room: roomId, ghost: bot.userId, thread: null, auto: true },
    };
  }

  /** Who waits for something that was said before waits for this, too. */
  async #apart(portal: Portal, members: readonly Member[]): Promise<{ free: Member[]; behind: Member[] }> {
    const lines = new Map(members.map((member) => [lineOf(member), member]));
    const busy = new Set(await this.parts.inbox.busyRooms(this.parts.db, [...lines.keys()]));
    const those = (isBusy: boolean) =>
      [...lines].flatMap(([line, member]) => (busy.has(line) === isBusy ? [member] : []));
    return { free: those(false), behind: those(true) };
  }

  async #putOff({ id: portalId }: Portal, event: MatrixEvent, members: readonly Member[]): Promise<void> {
    if (members.length === 0) return;
    await this.parts.bring(members.map(({ identity }) => eventLater({ portalId, identity }, event)));
  }

  /** @returns whom it did not reach: not now, or not at all */
  async #hand(portal: Portal, { event, said, author }: Passage, receivers: readonly Receiver[]): Promise<Failure[]> {
    const file = await this.#file(said, receivers);
    try {
      const message = await this.#message(portal, event, { ...said, text: signed(said, author) }, file);
      return await this.#receive(message, receivers);
    } finally {
      file?.release();
    }
  }

  async #receive(message: Omit<ForeignMessage, 'to'>, receivers: readonly Receiver[]): Promise<Failure[]> {
    const failed: Failure[] = [];
    for (const { member, target } of receivers) {
      const error = await this.#refusalOf({ ...message, to: [target] });
      if (error) failed.push({ member, error });
      killPoint('portal.passed');
    }
    return failed;
  }

  /** A receipt goes to the author of what was read. */
  async #receivers(portal: Portal, event: MatrixEvent, said: MatrixMessage): Promise<Member[]> {
    const { db, members, events } = this.parts;
    const others = (await members.joined(db, portal)).filter(({ ghost }) => ghost !== event.sender);
    if (said.type !== 'read-opened') return others;
    const isAuthor = await Promise.all(others.map(({ ghost }) => events.isBy(db, said.about[0]!, ghost)));
    return others.filter((_, index) => isAuthor[index]);
  }

  async #resolve(portal: Portal, members: readonly Member[]): Promise<{ found: Receiver[]; failed: Failure[] }> {
    const found: Receiver[] = [];
    const failed: Failure[] = [];
    const targets = await Promise.all(members.map((member) => this.#target(member)));
    for (const [index, member] of members.entries()) {
      const target = targets[index]!;
      if (target instanceof GatewayError) failed.push({ member, error: target });
      else if (target.address === member.identity) found.push({ member, target });
      else failed.push({ member, error: await this.#moved(portal, member) });
    }
    return { found, failed };
  }

  /** While nobody can tell who is behind a name, the message is taken all the same: it is asked again before it leaves. */
  async #target({ name, target }: Member): Promise<Target | GatewayError> {
    try {
      return await this.parts.port.lookup(name);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return error.retryable ? target : error;
    }
  }

  async #moved(portal: Portal, member: Member): Promise<GatewayError> {
    const error = new MemberMovedError({ name: member.name });
    const { db, members, portals } = this.parts;
    await portals.depart(portal.roomId, member.ghost, error.message);
    await members.setState(db, member, 'removed');
    return error;
  }

  /** As large as anybody takes: those who take less are told one by one. */
  async #file({ file }: MatrixMessage, receivers: readonly Receiver[]): Promise<HeldFile | null> {
    if (!file || receivers.length === 0) return null;
    const { api, bot, budget, config } = this.parts;
    const limits = receivers.map(({ target }) => Math.max(target.sizeLimit ?? Infinity, target.linkedBytes ?? 0));
    const limitBytes = Math.min(config.maxMediaBytes, Math.max(...limits));
    return fetchFile(file, { api, budget, as: bot.userId, limitBytes });
  }

  async #message(
    { address, roomId }: Portal,
    event: MatrixEvent,
    said: MatrixMessage,
    file: HeldFile | null,
  ): Promise<Omit<ForeignMessage, 'to'>> {
    const { bot, now } = this.parts;
    const { type, text, thread, automatic: auto } = said;
    const attachments = file ? [file.attachment] : [];
    return {
      network: MATRIX,
      remoteId: event.event_id as RemoteId,
      from: address,
      identity: { verdict: 'verified', detail: `in the room as ${event.sender}` },
      message: { type, text, attachments, sentAt: event.origin_server_ts ?? now() },
      // However many have read it: its author is told once.
      dedup: event.type === RECEIPT ? `read ${said.about[0]!}` : event.event_id,
      inReplyTo: await this.#idsOf(said.about),
      // Whoever came later does not have it.
      onlyIfKnown: type === 'delete' || type === 'reaction',
      conversation: { room: roomId, ghost: bot.userId, thread, auto },
    };
  }

  /** What one member wrote is known to him by our own id, and to the others by the event's. */
  async #idsOf(about: readonly string[]): Promise<RemoteId[]> {
    const { db, events } = this.parts;
    const both = await Promise.all(about.map(async (id) => [await events.remoteIdOf(db, id), id as RemoteId]));
    return [...new Set(both.flat())];
  }

  /** @throws what is a fault of ours: it may be well for everybody the next time */
  async #refusalOf(message: ForeignMessage): Promise<GatewayError | null> {
    try {
      await this.parts.port.receive(message);
      return null;
    } catch (error) {
      if (!(error instanceof GatewayError) || OF_EVERYBODY.has(error.code)) throw error;
      return error;
    }
  }

  /** Once an event, in the room, naming each whom it did not reach. @param apart of a member's own line */
  async #report(portal: Portal, event: MatrixEvent, failed: readonly Failure[], apart?: string): Promise<void> {
    const lines = failed.map(({ member, error }) => `- ${member.name}: ${error.message} (${error.code})`);
    await this.#tellOf(portal, event, lines, apart);
  }

  async #tellOf({ roomId }: Portal, event: MatrixEvent, lines: readonly string[], apart?: string): Promise<void> {
    if (lines.length === 0 || event.type === RECEIPT) return;
    const text = `This did not reach everybody:\n\n${shortList(lines)}`;
    const purpose = apart === undefined ? `undelivered ${event.event_id}` : `undelivered ${event.event_id} ${apart}`;
    await this.parts.bot.say(roomId, purpose, text, aboutIn(roomId, event));
  }
}

/** dm3 shows the room as sender: who in it speaks is said in the first line. */
function signed({ type, text, file }: MatrixMessage, author: string): string {
  if (type !== 'new' && type !== 'reply' && type !== 'edit') return text;
  const name = `**${author.replace(/[\\*_`[\]<>~]/g, '\\$&')}**`;
  if (text === '') return file ? `${name} sends a file.` : `${name}:`;
  return /\n|^(?:[#>*+-]|\d+\.|```)/.test(text) ? `${name}:\n\n${text}` : `${name}: ${text}`;
}
