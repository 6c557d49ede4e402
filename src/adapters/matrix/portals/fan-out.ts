import { GatewayError, isRetryable } from '../../../common/errors.js';
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
import type { MediaBudget } from '../media-budget.js';
import { fetchFile, type HeldFile } from '../media.js';
import { MATRIX } from '../network.js';
import { messageOf, partId } from '../part-id.js';
import { shortList } from '../text.js';
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

/** The name is somebody else's now: he was never asked into the room. */
class MemberMovedError extends GatewayError {
  constructor({ name }: { name: EnsName }) {
    const message = `The name ${name} belongs to somebody else now, so it has left this room.`;
    super({ code: 'NAME_MOVED', kind: 'not-found', message });
  }
}

/**
 * What is said in a portal room, to each member in dm3 but its author. Each gets a message of his own, so that one who
 * cannot be reached holds up nobody else; what runs again after a crash is a repeat to those who have it.
 */
export class FanOut {
  constructor(private readonly parts: Parts) {}

  /** @param author how people are told who speaks; reactions, deletions and receipts have no room for it */
  async pass(portal: Portal, event: MatrixEvent, said: MatrixMessage, author: string): Promise<void> {
    const members = await this.#receivers(portal, event, said);
    const { found, failed } = await this.#resolve(portal, members);
    const file = await this.#file(said, found);
    try {
      const message = await this.#message(portal, event, { ...said, text: signed(said, author) }, file);
      failed.push(...(await this.#receive(message, found)));
    } finally {
      file?.release();
    }
    await this.#report(portal, event, failed);
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

  /** Something that the room itself says to a member: it is nobody's message, and nobody hears of its failure. */
  async tell({ address, roomId }: Portal, target: Target, purpose: string, text: string): Promise<void> {
    const { bot, now } = this.parts;
    const id = partId({ message: messageOf(`portal ${purpose} ${target.address}`), index: 0 });
    await this.#refusalOf({
      network: MATRIX,
      remoteId: id,
      from: address,
      identity: { verdict: 'verified', detail: 'the gateway itself' },
      to: [target],
      message: { type: 'new', text, attachments: [], sentAt: now() },
      dedup: id,
      inReplyTo: [],
      conversation: { room: roomId, ghost: bot.userId, thread: null, auto: true },
    });
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

  async #refusalOf(message: ForeignMessage): Promise<GatewayError | null> {
    try {
      await this.parts.port.receive(message);
      return null;
    } catch (error) {
      if (!(error instanceof GatewayError) || isRetryable(error)) throw error;
      return error;
    }
  }

  /** Once an event, in the room, naming each whom it did not reach. */
  async #report({ roomId }: Portal, event: MatrixEvent, failed: readonly Failure[]): Promise<void> {
    if (failed.length === 0 || event.type === RECEIPT) return;
    const lines = failed.map(({ member, error }) => `- ${member.name}: ${error.message} (${error.code})`);
    const text = `This did not reach everybody:\n\n${shortList(lines)}`;
    await this.parts.bot.say(roomId, `undelivered ${event.event_id}`, text, aboutIn(roomId, event));
  }
}

/** dm3 shows the room as sender: who in it speaks is said in the first line. */
function signed({ type, text, file }: MatrixMessage, author: string): string {
  if (type !== 'new' && type !== 'reply' && type !== 'edit') return text;
  const name = `**${author.replace(/[\\*_`[\]<>~]/g, '\\$&')}**`;
  if (text === '') return file ? `${name} sends a file.` : `${name}:`;
  return /\n|^(?:[#>*+-]|\d+\.|```)/.test(text) ? `${name}:\n\n${text}` : `${name}: ${text}`;
}
