import type { NeutralType } from '../../gateway/adapter/message.js';
import { objectIn, RECEIPT, textIn, type MatrixEvent } from './event.js';
import { cleanPlain, htmlToMarkdown, withoutReplyFallback } from './html.js';
import type { NameOf } from './mentions.js';
import { cleanFileName, cleanLine, cleanText } from './text.js';

/** A file that an event speaks of; it stays on the homeserver until somebody wants it. */
export interface MatrixFile {
  readonly server: string;
  readonly id: string;
  readonly name: string;
  readonly mediaType: string;
  /** As its sender says, bytes; null where he does not. */
  readonly size: number | null;
}

/** What an event says. */
export interface MatrixMessage {
  readonly type: NeutralType;
  /** Markdown. */
  readonly text: string;
  readonly file: MatrixFile | null;
  /** Events this one is about, the nearest first. */
  readonly about: readonly string[];
  readonly thread: string | null;
  /** By a machine, which says so. */
  readonly automatic: boolean;
}

type Content = Readonly<Record<string, unknown>>;

const PLAIN = { type: 'new', file: null, about: [], thread: null, automatic: false } as const;
const FILES = new Set(['m.image', 'm.file', 'm.audio', 'm.video']);
const POLLS = ['m.poll.start', 'org.matrix.msc3381.poll.start', 'm.poll', 'org.matrix.msc3381.poll'];

/**
 * Event -> what it says, in words where dm3 has no such thing.
 * @returns null for what says nothing to anybody: state, calls that end, votes, what was deleted meanwhile
 */
export function fromMatrix(event: MatrixEvent, nameOf: NameOf): MatrixMessage | null {
  if (event.state_key !== undefined) return null;
  const { content } = event;
  switch (event.type) {
    case 'm.room.message':
      return readMessage(content, nameOf);
    case 'm.sticker':
      return { ...PLAIN, ...relation(content), ...sticker(content) };
    case 'm.reaction':
      return reaction(content);
    case 'm.room.redaction':
      return deletion(event);
    case RECEIPT:
      return { ...PLAIN, type: 'read-opened', text: '', about: [textIn(content, 'about') ?? ''] };
    default:
      return inWords(event, nameOf);
  }
}

function readMessage(content: Content, nameOf: NameOf): MatrixMessage | null {
  const relates = objectIn(content, 'm.relates_to');
  const edited = relates['rel_type'] === 'm.replace' ? textIn(relates, 'event_id') : null;
  const said = edited === null ? content : objectIn(content, 'm.new_content');
  const automatic = content['msgtype'] === 'm.notice';
  const body = bodyOf(said, edited === null && relation(content).about.length > 0, nameOf);
  if (!body) return null;
  if (edited !== null) return { ...PLAIN, ...body, type: 'edit', about: [edited], automatic };
  return { ...PLAIN, ...relation(content), ...body, automatic };
}

/** Null where nothing is said: the homeserver takes the content out of what was deleted. */
function bodyOf(content: Content, isAnswer: boolean, nameOf: NameOf): Pick<MatrixMessage, 'text' | 'file'> | null {
  const msgtype = textIn(content, 'msgtype');
  const body = textIn(content, 'body');
  if (msgtype === null || body === null) return null;
  if (FILES.has(msgtype)) return fileBody(content, msgtype, nameOf);
  if (msgtype === 'm.location') return { text: location(content, body), file: null };
  const text = formatted(content, nameOf) ?? cleanPlain(isAnswer ? withoutReplyFallback(body) : body, nameOf);
  if (msgtype === 'm.emote') return { text: `* ${text}`, file: null };
  if (msgtype === 'm.text' || msgtype === 'm.notice') return { text, file: null };
  return { text: `[${cleanLine(msgtype, 60)}] ${text}`, file: null };
}

function formatted(content: Content, nameOf: NameOf): string | null {
  const html = content['format'] === 'org.matrix.custom.html' ? textIn(content, 'formatted_body') : null;
  return html === null ? null : htmlToMarkdown(html, nameOf) || null;
}

/** With a `filename`, the body is a caption (Matrix 1.10). */
function fileBody(content: Content, msgtype: string, nameOf: NameOf): Pick<MatrixMessage, 'text' | 'file'> {
  const body = textIn(content, 'body')!;
  const filename = textIn(content, 'filename');
  const name = cleanFileName(filename ?? body, msgtype.slice(2));
  const caption =
    filename === null || filename === body ? '' : (formatted(content, nameOf) ?? cleanPlain(body, nameOf));
  const info = objectIn(content, 'info');
  const file = mediaAt(textIn(content, 'url'), { name, info, msgtype });
  if (file) return { text: caption, file };
  const missing = `[${name}: this file is encrypted or its address is not valid, so it could not be taken along]`;
  return { text: [caption, missing].filter(Boolean).join('\n\n'), file: null };
}

/** `mxc://server/id`; null for anything else. */
function mediaAt(
  url: string | null,
  { name, info, msgtype }: { name: string; info: Content; msgtype: string },
): MatrixFile | null {
  const match = /^mxc:\/\/([^/?#\s]+)\/([\w-]+)$/.exec(url ?? '');
  if (!match) return null;
  const type = (textIn(info, 'mimetype') ?? '').toLowerCase().split(';', 1)[0]!.trim();
  const fallback = msgtype === 'm.image' ? 'image/png' : 'application/octet-stream';
  const mediaType = /^[\w.+-]+\/[\w.+-]+$/.test(type) ? type : fallback;
  const size = typeof info['size'] === 'number' && info['size'] >= 0 ? info['size'] : null;
  return { server: match[1]!, id: match[2]!, name, mediaType, size };
}

function location(content: Content, body: string): string {
  const uri = textIn(content, 'geo_uri');
  const place = uri && /^geo:[-0-9.,;a-z=]+$/i.test(uri) ? ` (${uri})` : '';
  return `Location: ${cleanText(body)}${place}`;
}

function sticker(content: Content): Pick<MatrixMessage, 'text' | 'file'> {
  const body = cleanLine(textIn(content, 'body') ?? 'sticker', 200);
  const about = { name: cleanFileName(body, 'sticker'), info: objectIn(content, 'info'), msgtype: 'm.image' };
  return { text: `[Sticker: ${body}]`, file: mediaAt(textIn(content, 'url'), about) };
}

function reaction(content: Content): MatrixMessage | null {
  const relates = objectIn(content, 'm.relates_to');
  const about = textIn(relates, 'event_id');
  const key = textIn(relates, 'key');
  if (relates['rel_type'] !== 'm.annotation' || about === null || !key) return null;
  return { ...PLAIN, type: 'reaction', text: cleanLine(key, 100), about: [about] };
}

/** Room versions up to 10 name what is deleted beside the content, later ones in it. */
function deletion({ redacts, content }: MatrixEvent): MatrixMessage | null {
  const about = textIn(content, 'redacts') ?? redacts;
  return about ? { ...PLAIN, type: 'delete', text: '', about: [about] } : null;
}

/** Types that dm3 has no word for. Those that are no message of a person (votes, call set-up) say nothing. */
function inWords({ type, content }: MatrixEvent, nameOf: NameOf): MatrixMessage | null {
  if (POLLS.includes(type)) return { ...PLAIN, ...relation(content), text: poll(content) };
  if (type === 'm.call.invite') return { ...PLAIN, text: '[Call: calls cannot be taken over a gateway]' };
  const body = textIn(content, 'body');
  if (body === null || type.startsWith('m.key.') || type.startsWith('m.call.')) return null;
  return { ...PLAIN, ...relation(content), text: `[${cleanLine(type, 60)}] ${cleanPlain(body, nameOf)}` };
}

function poll(content: Content): string {
  const start =
    [...POLLS, 'm.poll.start'].map((key) => objectIn(content, key)).find((each) => 'question' in each) ?? {};
  const answers = Array.isArray(start['answers']) ? (start['answers'] as unknown[]).slice(0, 50) : [];
  const question = cleanLine(words(start['question']), 500);
  return [`Poll: ${question}`, ...answers.map((answer) => `- ${cleanLine(words(answer), 200)}`)].join('\n');
}

/** Text of an extensible event, by its stable name or the older ones. */
function words(value: unknown): string {
  if (typeof value !== 'object' || value === null) return '';
  const content = value as Content;
  const text = textIn(content, 'm.text') ?? textIn(content, 'org.matrix.msc1767.text') ?? textIn(content, 'body');
  const [first] = Array.isArray(content['m.text']) ? (content['m.text'] as unknown[]) : [];
  return text ?? textIn((first ?? {}) as Content, 'body') ?? '';
}

/** What it answers, and the thread it is in. Clients name the thread's last message for others that know none. */
function relation(content: Content): Pick<MatrixMessage, 'type' | 'about' | 'thread'> {
  const relates = objectIn(content, 'm.relates_to');
  const answered = textIn(objectIn(relates, 'm.in_reply_to'), 'event_id');
  const thread = relates['rel_type'] === 'm.thread' ? textIn(relates, 'event_id') : null;
  const about = [answered, thread].filter((id) => id !== null);
  return { type: about.length > 0 ? 'reply' : 'new', about, thread };
}
