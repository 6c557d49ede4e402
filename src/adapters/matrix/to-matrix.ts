import type { OutgoingMessage, OutgoingNotice, Rendering } from '../../gateway/adapter/adapter.js';
import { DeliveryFailedError, UnsupportedMessageError } from '../../gateway/adapter/errors.js';
import type { NeutralAttachment, NeutralMessage } from '../../gateway/adapter/message.js';
import { formatAddress, isRoom, parseUserId, userOf } from './address.js';
import { fits } from './contents.js';
import { readContext, type MatrixContext } from './context.js';
import { isReceiptId } from './event.js';
import { ghostId } from './ghost-id.js';
import { formatMarkdown } from './html.js';
import type { Mentionable } from './mentions.js';
import { messageOf, partId, readPartId } from './part-id.js';
import { encodeRendering, type Part, type RenderedMatrix, type Speaker, type TextPart } from './rendering.js';
import { cleanFileName, cleanText } from './text.js';

/** JSON may double a byte, and an edit says the text twice: without formatting this always fits. */
const MAX_PART_BYTES = 12_000;
/** A text is not cut smaller than this for the sake of its formatting, nor where that is so many times as long. */
const MIN_PART_BYTES = 1_500;
const MAX_HTML_FACTOR = 10;
/** Names are looked for in so many parts of a long text. */
export const LOOKED_AT = 8;

/**
 * Message of a dm3 user -> what his ghost will do.
 * @param serverName of the homeserver
 * @throws DeliveryFailedError BAD_ADDRESS, UnsupportedMessageError: permanent
 */
export function toMatrix(outgoing: OutgoingMessage, serverName: string): Rendering {
  const context = readContext(outgoing.conversation);
  const speaker = speakerOf(outgoing, context, serverName);
  const thread = threadOf(outgoing, context, speaker);
  const rendered = render(outgoing, speaker, thread);
  const count = 'parts' in rendered ? rendered.parts.length : 1;
  const { message } = rendered;
  return {
    remoteIds: Array.from({ length: count }, (_, index) => partId({ message, index })),
    body: encodeRendering(rendered),
    conversation: { ...context, ...placeOf(speaker, context), thread, auto: false },
  };
}

/** In a room of several, what is said of its own accord is said to all, whatever thread was read last. */
function threadOf({ target }: OutgoingMessage, context: MatrixContext | null, speaker: Speaker): string | null {
  return 'portal' in speaker && target === null ? null : (context?.thread ?? null);
}

function placeOf(speaker: Speaker, context: MatrixContext | null): Pick<MatrixContext, 'room' | 'ghost'> {
  if ('portal' in speaker) return { room: context?.room ?? null, ghost: context?.ghost ?? null };
  return { room: speaker.room, ghost: speaker.ghost };
}

/** @returns null where a notice would answer a machine or a receipt, or nobody knows where to */
export function toNotice(notice: OutgoingNotice): Rendering | null {
  const context = readContext(notice.conversation);
  if (!context || context.auto || context.room === null || context.ghost === null) return null;
  if (isReceiptId(notice.about)) return null;
  const message = messageOf(notice.id);
  const place = { message, ghost: context.ghost, room: context.room };
  return {
    remoteIds: [partId({ message, index: 0 })],
    body: encodeRendering(renderNotice(notice, place)),
    conversation: notice.conversation,
  };
}

function renderNotice(notice: OutgoingNotice, place: { message: string; ghost: string; room: string }): RenderedMatrix {
  const { status, about: target, receiver, reason } = notice;
  const replaces = notice.replaces === undefined ? null : messageOf(notice.replaces);
  if (status === 'arrived') return { ...place, kind: 'retraction', target: null, replaces: replaces! };
  return { ...place, kind: 'notice', target, replaces, text: noticeText(receiver, reason, status) };
}

export function noticeText(
  receiver: string,
  reason: { code: string; text: string },
  status: OutgoingNotice['status'] = 'failed',
): string {
  const fate = status === 'delayed' ? `has not reached ${receiver} yet` : `did not reach ${receiver}`;
  return cleanText(`Your message ${fate}. ${reason.text} (${reason.code})`);
}

function speakerOf({ from, to }: OutgoingMessage, context: MatrixContext | null, serverName: string): Speaker {
  if (isRoom(to)) return { name: from.name, identity: from.address, portal: to };
  const user = userOf(to);
  if (user === null || parseUserId(user) === null) {
    const reason = `${formatAddress(to)} is nobody's id on Matrix; check the address.`;
    throw new DeliveryFailedError({ code: 'BAD_ADDRESS', reason, retryable: false });
  }
  const ghost = ghostId(from.name, serverName);
  return { name: from.name, identity: from.address, ghost, user, room: context?.room ?? null };
}

function render(outgoing: OutgoingMessage, speaker: Speaker, thread: string | null): RenderedMatrix {
  const { id, message: neutral, target } = outgoing;
  const base = { message: messageOf(id), target, speaker };
  const people = peopleOf(outgoing, speaker);
  switch (neutral.type) {
    case 'reaction':
      return { ...base, kind: 'reaction', key: neutral.text };
    case 'delete':
      return { ...base, kind: 'delete', target: onlyOwn(target) };
    case 'read-received':
    case 'read-opened':
      return { ...base, kind: 'read' };
    case 'edit':
      return { ...base, kind: 'edit', target: onlyOwn(target), thread, parts: partsOf(neutral, people) };
    default:
      return { ...base, kind: 'message', thread, parts: partsOf(neutral, people) };
  }
}

/** Whose names are known in a chat of two: those of the two. Who is in a room of several shows when it leaves. */
function peopleOf({ from, toNames = [] }: OutgoingMessage, speaker: Speaker): Mentionable[] {
  if ('portal' in speaker) return [];
  const { ghost, user } = speaker;
  return [
    { id: user, names: [user.slice(1), ...toNames].map((name) => name.toLowerCase()) },
    { id: ghost, names: [from.name] },
  ];
}

/** @throws UnsupportedMessageError for what somebody on Matrix wrote: only its author may change it */
function onlyOwn(target: OutgoingMessage['target']): OutgoingMessage['target'] {
  if (target === null || readPartId(target)) return target;
  throw new UnsupportedMessageError({ reason: 'Only the author of a message can change or delete it.' });
}

function partsOf({ text, attachments }: NeutralMessage, people: readonly Mentionable[]): Part[] {
  const links = attachments.flatMap(({ name, content }) => ('uri' in content ? [`[${name}](${content.uri})`] : []));
  const whole = [cleanText(text), ...links].filter(Boolean).join('\n\n').toWellFormed();
  const files = attachments.flatMap(filePart);
  return [...(whole === '' && files.length > 0 ? [] : textParts(whole, people)), ...files];
}

/** Parts that fit into events: as HTML, lists of short lines and tables are many times as long. */
function textParts(text: string, people: readonly Mentionable[]): TextPart[] {
  const found: TextPart[] = [];
  const waiting = pieces(text);
  for (let body = waiting.shift(); body !== undefined; body = waiting.shift()) {
    const part = textPart(body, found.length < LOOKED_AT ? people : []);
    const bytes = Buffer.byteLength(body);
    if (fits(part)) found.push(part);
    else if (bytes > MIN_PART_BYTES && (part.html?.length ?? 0) < bytes * MAX_HTML_FACTOR)
      waiting.unshift(...pieces(body, Math.ceil(bytes / 2)));
    else found.push({ ...part, html: null });
  }
  return found;
}

/** @param people whose names become pills */
export function textPart(body: string, people: readonly Mentionable[]): TextPart {
  const { html, mentioned } = formatMarkdown(body, people);
  return { kind: 'text', body, html, mentions: mentioned };
}

function filePart({ name, mediaType, content }: NeutralAttachment): Part[] {
  if ('uri' in content) return [];
  const base64 = Buffer.from(content.bytes).toString('base64');
  return [{ kind: 'file', name: cleanFileName(name, 'file'), mediaType, base64 }];
}

/** Long texts go whole, as several events; they are cut between paragraphs or lines where that is possible. */
export function pieces(text: string, maxBytes = MAX_PART_BYTES): string[] {
  const found: string[] = [];
  let rest = text;
  while (Buffer.byteLength(rest) > maxBytes) {
    const head = headOf(rest, maxBytes);
    found.push(withoutEnd(head));
    rest = rest.slice(head.length);
  }
  return [...found, rest].filter((piece, index, { length }) => length === 1 || withoutEnd(piece) !== '');
}

/** Of the blanks that it was cut at; others are part of the text. */
function withoutEnd(text: string): string {
  let end = text.length;
  while (end > 0 && ' \t\n'.includes(text[end - 1]!)) end -= 1;
  return text.slice(0, end);
}

function headOf(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text.slice(0, maxBytes)).subarray(0, maxBytes);
  const fitting = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: true });
  for (const sign of ['\n\n', '\n', ' ']) {
    const at = fitting.lastIndexOf(sign);
    if (at > fitting.length / 2) return fitting.slice(0, at + sign.length);
  }
  return fitting;
}
