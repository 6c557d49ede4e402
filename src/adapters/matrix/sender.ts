import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import type { Database } from '../../storage/database.js';
import { isRefusal, type MatrixApi } from './api.js';
import { answering, edited, fits, fitted, pinging, textContent, threaded, type Content } from './contents.js';
import { editSteps, type EditStep } from './edit-steps.js';
import { HomeserverError, toDeliveryError } from './errors.js';
import { NOTHING_SAID, type EventStore, type Listing, type Standing } from './event.store.js';
import type { MatrixGhosts } from './ghosts.js';
import { linkTo } from './mentions.js';
import { decodedPieces, type MediaLimit } from './media.js';
import { fileDigest, partId, transactionFor } from './part-id.js';
import { isCommandText } from './portals/command-text.js';
import type { MemberCommands } from './portals/member-commands.js';
import type { MatrixPortals, Place } from './portals/portals.js';
import type {
  Part,
  PortalSpeaker,
  RenderedMark,
  RenderedMatrix,
  RenderedNotice,
  RenderedReaction,
  RenderedRetraction,
  RenderedText,
} from './rendering.js';
import type { MatrixRooms } from './rooms.js';
import { readableSize } from './text.js';
import { LOOKED_AT, textPart } from './to-matrix.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly ghosts: MatrixGhosts;
  readonly rooms: MatrixRooms;
  readonly portals: MatrixPortals;
  readonly commands: MemberCommands;
  readonly events: EventStore;
  readonly limit: MediaLimit;
}

type Said = Exclude<RenderedMatrix, RenderedNotice | RenderedRetraction>;

/**
 * Does what was rendered. Every event's transaction id comes from the message and the part, so that a repeat after a
 * crash is none to the homeserver.
 */
export class MatrixSender {
  constructor(private readonly parts: Parts) {}

  /** Resolves once the homeserver has it all. @throws DeliveryFailedError */
  async send(rendered: RenderedMatrix): Promise<void> {
    try {
      await this.#perform(rendered);
    } catch (error) {
      throw toDeliveryError(error);
    }
  }

  async #perform(rendered: RenderedMatrix): Promise<void> {
    if (rendered.kind === 'notice') return this.#notice(rendered);
    if (rendered.kind === 'retraction') return this.#retract(rendered);
    if (rendered.kind === 'message' || rendered.kind === 'edit') await this.#checkSizes(rendered.parts);
    const { speaker } = rendered;
    if ('portal' in speaker && isCommand(rendered)) return this.#command(speaker, rendered);
    const place = await this.#place(rendered);
    if (!place) return;
    const targets = rendered.target === null ? [] : await this.parts.events.eventsOf(this.parts.db, rendered.target);
    switch (rendered.kind) {
      case 'message':
        return this.#message(place, await this.#addressed(rendered), targets[0]);
      case 'edit':
        return this.#edit(place, await this.#addressed(rendered));
      case 'reaction':
        return this.#react(place, rendered, targets[0]);
      case 'delete':
        return this.#delete(place, rendered, targets);
      case 'read':
        if (targets[0]) await this.parts.api.markRead(place.as, place.room, targets[0]);
    }
  }

  /** Null for what is left out: who only reads or reacts neither joins a room nor opens a chat. */
  async #place({ kind, speaker }: Said): Promise<Place | null> {
    const { ghosts, portals, rooms } = this.parts;
    const speaks = kind === 'message' || (kind === 'edit' && !('portal' in speaker));
    if (speaks && 'portal' in speaker) return portals.forSending(speaker);
    if (!('portal' in speaker)) await ghosts.ensure(speaker.name);
    const place = 'portal' in speaker ? await portals.forMember(speaker) : await rooms.forSending(speaker, speaks);
    if (place || kind === 'read' || kind === 'reaction') return place;
    const reason = 'You are not in that room (any more), so nothing can be changed there.';
    throw new DeliveryFailedError({ code: 'NOT_A_MEMBER', reason, retryable: false });
  }

  /** With the names of those who are in a room of several just now. */
  async #addressed(rendered: RenderedText): Promise<RenderedText> {
    const { speaker, parts } = rendered;
    if (!('portal' in speaker)) return rendered;
    const text = parts.map((part) => (part.kind === 'text' ? part.body : '')).join('\n');
    const people = await this.parts.portals.mentionable(speaker, text);
    const named = (part: Part, index: number) => {
      const pills = part.kind === 'text' && index < LOOKED_AT ? textPart(part.body, people) : null;
      return pills && fits(pills) ? pills : part;
    };
    return { ...rendered, parts: parts.map(named) };
  }

  #command(speaker: PortalSpeaker, { message, parts }: RenderedText): Promise<void> {
    return this.parts.commands.take(speaker, message, parts[0]?.kind === 'text' ? parts[0].body : '');
  }

  async #notice(notice: RenderedNotice): Promise<void> {
    const { ghost: as, room, text, target, message, replaces } = notice;
    const [about] = target === null ? [] : await this.parts.events.eventsOf(this.parts.db, target);
    const next = await this.parts.portals.successorOf(room);
    if (next !== null) return this.#noticeElsewhere(notice, next, about);
    const [earlier] = replaces ? await this.#eventsOfNotice(replaces) : [];
    const content = { msgtype: 'm.notice', body: text, ...answering(about), ...pinging() };
    await this.#say({ as, room }, { message, index: 0 }, earlier ? edited(content, earlier) : content);
  }

  /**
   * The room was upgraded meanwhile: an answer stands in the room of what it answers or nowhere (Matrix: rich replies),
   * so the message is named by a link.
   */
  async #noticeElsewhere(notice: RenderedNotice, room: string, about: string | undefined): Promise<void> {
    const { ghost: as, text, message, replaces } = notice;
    if (replaces) await this.#takeBack({ as, room }, replaces, transactionFor('replaced', message));
    const link = about === undefined ? '' : ` ${linkTo(notice.room, about)}`;
    const body = `${text}\n\nThis is about a message in the room that was here before.${link}`;
    await this.#say({ as, room }, { message, index: 0 }, { msgtype: 'm.notice', body, ...pinging() });
  }

  async #retract({ ghost: as, room: said, message, replaces }: RenderedRetraction): Promise<void> {
    const next = await this.parts.portals.successorOf(said);
    if (next !== null) return this.#takeBack({ as, room: next }, replaces, partId({ message, index: 0 }));
    for (const [index, event] of (await this.#eventsOfNotice(replaces)).entries()) {
      await this.parts.api.redact({ as, room: said, txn: partId({ message, index }) }, event);
    }
  }

  /** A notice, where it was said in this room; what was said in the one before stays there. */
  async #takeBack(place: Place, replaces: string, txn: string): Promise<void> {
    for (const event of await this.#eventsOfNotice(replaces)) {
      try {
        await this.parts.api.redact({ ...place, txn }, event);
      } catch (error) {
        if (!(error instanceof HomeserverError) || error.retryable) throw error;
      }
    }
  }

  #eventsOfNotice(message: string): Promise<string[]> {
    return this.parts.events.eventsOf(this.parts.db, partId({ message, index: 0 }));
  }

  async #message(place: Place, rendered: RenderedText, target: string | undefined): Promise<void> {
    const { message, parts, thread } = rendered;
    for (const [index, part] of parts.entries()) {
      const relation = thread === null ? answering(index === 0 ? target : undefined) : threaded(thread, target);
      const content = { ...(await this.#content(place.as, part)), ...relation };
      await this.#say(place, { message, index }, content, { file: fileDigest(part) });
    }
  }

  /** Part by part. Where the message that was changed is not known here, the new text is said as one. */
  async #edit(place: Place, rendered: RenderedText): Promise<void> {
    const { db, events } = this.parts;
    const { target } = rendered;
    const standing = target === null ? NOTHING_SAID : await events.standing(db, target);
    for (const step of editSteps(rendered, standing)) await this.#step(place, step, { rendered, standing });
  }

  async #step(
    place: Place,
    step: EditStep,
    { rendered: { message, thread }, standing }: { rendered: RenderedText; standing: Standing },
  ): Promise<void> {
    if (step.kind === 'redact') return this.#takeOut(place, message, step.eventId);
    const { part, index } = step;
    const content = await this.#content(place.as, part);
    if (step.kind === 'replace') {
      return this.#say(place, { message, index }, edited(content, step.eventId), { root: standing.message });
    }
    const isAll = standing.events.length === 0;
    const said = isAll && index === 0 ? edited(content, undefined) : content;
    const relation = thread === null ? {} : threaded(thread, standing.events[0]?.eventId);
    const { under } = step;
    await this.#say(place, { message, index }, { ...said, ...relation }, { under, file: fileDigest(part) });
  }

  /** What the changed message says no more. The event keeps its author, and is no part of the message any longer. */
  async #takeOut(place: Place, message: string, eventId: string): Promise<void> {
    const { api, db, events } = this.parts;
    await api.redact({ ...place, txn: transactionFor('surplus', `${message} ${eventId}`) }, eventId);
    await events.unlist(db, eventId);
  }

  async #react(place: Place, { message, key }: RenderedReaction, target: string | undefined): Promise<void> {
    const part = { message, index: 0 };
    if (!target) return this.#say(place, part, { msgtype: 'm.text', body: `Reacted with ${key}`, ...pinging() });
    const content = { 'm.relates_to': { rel_type: 'm.annotation', event_id: target, key } };
    try {
      await this.#say(place, part, content, { type: 'm.reaction' });
    } catch (error) {
      if (!isRefusal(error, 'M_DUPLICATE_ANNOTATION')) throw error;
    }
  }

  async #delete(place: Place, { message }: RenderedMark, targets: readonly string[]): Promise<void> {
    if (targets.length === 0) {
      const reason = 'The message to be deleted is not known on Matrix (any more).';
      throw new DeliveryFailedError({ code: 'TARGET_UNKNOWN', reason, retryable: false });
    }
    for (const [index, target] of targets.entries()) {
      await this.parts.api.redact({ ...place, txn: partId({ message, index }) }, target);
    }
  }

  async #say(
    place: Place,
    part: { message: string; index: number },
    content: Content,
    { type = 'm.room.message', ...listing }: Listing & { readonly type?: string } = {},
  ): Promise<void> {
    const { api, db, events } = this.parts;
    const eventId = await this.#passing(place, api.send({ ...place, txn: partId(part) }, type, fitted(content)));
    await events.addSent(db, eventId, place.as, part, listing);
  }

  /** A room that is being upgraded takes nothing any more, until all have gone over to the next one. */
  async #passing(place: Place, sending: Promise<string>): Promise<string> {
    try {
      return await sending;
    } catch (error) {
      if (!isRefusal(error, 'M_FORBIDDEN') || !(await this.parts.portals.isMoving(place))) throw error;
      const reason = 'The room has been upgraded, and the gateway is not in the new one yet.';
      throw new DeliveryFailedError({ code: 'ROOM_UPGRADED', reason, retryable: true, cause: error });
    }
  }

  async #content(as: string, part: Part): Promise<Content> {
    if (part.kind === 'text') return textContent(part);
    const { name, mediaType, base64 } = part;
    const sizeBytes = Buffer.byteLength(base64, 'base64');
    const url = await this.parts.api.upload(as, { name, mediaType, sizeBytes, pieces: () => decodedPieces(base64) });
    const info = { mimetype: mediaType, size: sizeBytes };
    return { msgtype: msgtypeOf(mediaType), body: name, filename: name, url, info, ...pinging() };
  }

  /** Before anything leaves: half a message is worse than none. */
  async #checkSizes(parts: readonly Part[]): Promise<void> {
    const files = parts.filter((part) => part.kind === 'file');
    const limit = files.length > 0 ? await this.parts.limit.bytes() : null;
    if (limit === null) return;
    for (const { name, base64 } of files) {
      const size = Buffer.byteLength(base64, 'base64');
      if (size <= limit) continue;
      const reason = `The file "${name}" has ${readableSize(size)}, and the homeserver takes ${readableSize(limit)} at most.`;
      throw new DeliveryFailedError({ code: 'FILE_TOO_LARGE', reason, retryable: false });
    }
  }
}

function isCommand(rendered: RenderedMatrix): rendered is RenderedText {
  return rendered.kind === 'message' && rendered.parts[0]?.kind === 'text' && isCommandText(rendered.parts[0].body);
}

function msgtypeOf(mediaType: string): string {
  const [kind] = mediaType.split('/', 1);
  return kind === 'image' || kind === 'audio' || kind === 'video' ? `m.${kind}` : 'm.file';
}
