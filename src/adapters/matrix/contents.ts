import type { RemoteId } from '../../common/ids.js';
import type { Part } from './rendering.js';

/** What an event says (Matrix: `content`). */
export type Content = Readonly<Record<string, unknown>>;

type TextPart = Extract<Part, { kind: 'text' }>;

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
