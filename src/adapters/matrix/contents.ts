import type { RemoteId } from '../../common/ids.js';
import type { TextPart } from './rendering.js';

/** What an event says (Matrix: `content`). */
export type Content = Readonly<Record<string, unknown>>;

export function textContent({ body, html, mentions }: TextPart): Content {
  return { msgtype: 'm.text', body, ...formatted(html), ...pinging(mentions) };
}

function formatted(html: string | null): Content {
  return html === null ? {} : { format: 'org.matrix.custom.html', formatted_body: html };
}

export function answering(target: RemoteId | string | undefined): Content {
  return target ? { 'm.relates_to': { 'm.in_reply_to': { event_id: target } } } : {};
}

/** Clients that know no threads see an answer to its last message. */
export function threaded(thread: string, target: string | undefined): Content {
  const fallback = { is_falling_back: !target || target === thread, 'm.in_reply_to': { event_id: target ?? thread } };
  return { 'm.relates_to': { rel_type: 'm.thread', event_id: thread, ...fallback } };
}

/** Without it, clients look for names in the text and wake people up by accident (Matrix 1.7). */
export function pinging(userIds: readonly string[] = []): Content {
  return { 'm.mentions': userIds.length === 0 ? {} : { user_ids: userIds } };
}

/** Nobody is woken up again by what was said before. */
export function edited(content: Content, target: string | undefined): Content {
  const body = String(content['body']);
  if (!target) return { ...content, body: `Edited:\n\n${body}` };
  const relation = { rel_type: 'm.replace', event_id: target };
  const { 'm.relates_to': _, ...fresh } = content;
  return { ...content, ...pinging(), body: `* ${body}`, 'm.new_content': fresh, 'm.relates_to': relation };
}

/** An event has 65,536 bytes at most; the rest is for what homeservers put around a content. */
export const MAX_CONTENT_BYTES = 65_536 - 4_096;

/** Whether a text can be said, and said as an edit, with its formatting. */
export function fits(part: TextPart): boolean {
  return sizeOf(withoutHtml(edited(textContent(part), ANY_EVENT))) <= MAX_CONTENT_BYTES;
}

/**
 * The content as it is, if it is small enough for an event; else without formatting that nobody misses: first where an
 * edit says it to clients that know no edits, then everywhere. The text stays whole.
 */
export function fitted(content: Content): Content {
  if (sizeOf(content) <= MAX_CONTENT_BYTES) return content;
  const less = withoutHtml(content);
  const fresh = less['m.new_content'] as Content | undefined;
  if (fresh === undefined || sizeOf(less) <= MAX_CONTENT_BYTES) return less;
  return { ...less, 'm.new_content': withoutHtml(fresh) };
}

/** As long as ids get (Matrix: 255 bytes). */
const ANY_EVENT = '$'.repeat(255);

function withoutHtml(content: Content): Content {
  const { format: _, formatted_body: __, ...plain } = content;
  return plain;
}

function sizeOf(content: Content): number {
  return Buffer.byteLength(JSON.stringify(content));
}
