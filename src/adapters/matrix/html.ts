import MarkdownIt from 'markdown-it';
import sanitizeHtml from 'sanitize-html';
import TurndownService from 'turndown';
import { BARE_LINKS, wordsOfLink, type Mentionable, type NameOf } from './mentions.js';
import { pills, type Mentions } from './pills.js';
import { cleanLine, cleanText } from './text.js';

const MAX_LENGTH = 65_536;
const MAX_DEPTH = 100;
const MAX_LABEL = 500;

/** What Matrix clients show (Matrix: m.room.message msgtypes), of which pictures only by `mxc:`. */
const SANITIZER: sanitizeHtml.IOptions = {
  allowedTags: (
    'del h1 h2 h3 h4 h5 h6 blockquote p a ul ol li sup sub b i u s strong em strike code hr br div ' +
    'table thead tbody tr th td caption pre span details summary'
  ).split(' '),
  allowedAttributes: { a: ['href'], ol: ['start'], code: ['class'] },
  allowedSchemes: ['https', 'http', 'mailto', 'matrix', 'xmpp', 'ftp', 'magnet'],
  allowProtocolRelative: false,
  nonTextTags: ['style', 'script', 'textarea', 'option', 'noscript', 'title', 'mx-reply'],
};

const markdown = new MarkdownIt({ html: false, linkify: false, breaks: true }).disable('image').use(pills);
/** A text as Matrix shows it. */
export interface Formatted {
  /** For `formatted_body`; null where it would say nothing that the plain text does not. */
  readonly html: string | null;
  /** Ids of those whose names stand in it. */
  readonly mentioned: readonly string[];
}

/** @param people whose names become pills, but for those in code, links and addresses */
export function formatMarkdown(text: string, people: readonly Mentionable[] = []): Formatted {
  const found: Mentions['found'] = new Set();
  const html = markdown.render(text, { people, found });
  const plain = `<p>${markdown.utils.escapeHtml(text.trim()).replaceAll('\n', '<br>\n')}</p>\n`;
  return { html: html === plain ? null : sanitizeHtml(html, SANITIZER).trim(), mentioned: [...found] };
}

/**
 * Markdown of a `formatted_body`. Whatever is no formatting that Matrix allows is left out, with the copy of the
 * message it answers; links to people, rooms and messages on Matrix become names and words.
 * @returns null for HTML that is too large or too deep to be looked into: the plain body says the same
 */
export function htmlToMarkdown(html: string, nameOf: NameOf): string | null {
  if (html.length > MAX_LENGTH || isDeep(html)) return null;
  return cleanText(turndown(nameOf).turndown(sanitizeHtml(html, SANITIZER))).trim();
}

function turndown(nameOf: NameOf): TurndownService {
  const service = new TurndownService({ headingStyle: 'atx', codeBlockStyle: 'fenced', bulletListMarker: '-' });
  const escape = service.escape.bind(service);
  service.escape = (text) => replaceLinks(text, nameOf, { links: withoutMarkup, rest: escape });
  service.addRule('strike', { filter: ['del', 's'], replacement: (content) => `~~${content}~~` });
  service.addRule('mention', {
    filter: (node) => node.nodeName === 'A' && wordsOfLink(hrefOf(node), nameOf) !== null,
    replacement: (_, node) => withoutMarkup(wordsOfLink(hrefOf(node), nameOf, labelOf(node))!),
  });
  return service;
}

type Node = TurndownService.Node;
const hrefOf = (node: Node) =>
  (node as unknown as { getAttribute(name: string): string | null }).getAttribute('href') ?? '';
const labelOf = (node: Node) =>
  cleanLine((node as unknown as { textContent: string | null }).textContent ?? '', MAX_LABEL);

/** Of a name nothing is formatting; what ids usually hold is not touched. */
function withoutMarkup(words: string): string {
  return words.replace(/[\\`*<>[\]()]/g, '\\$&');
}

/** The same in plain bodies, where a link stands bare. */
export function cleanPlain(text: string, nameOf: NameOf): string {
  return replaceLinks(cleanText(text), nameOf, { links: (words) => words, rest: (words) => words });
}

function replaceLinks(
  text: string,
  nameOf: NameOf,
  { links, rest }: { links: (words: string) => string; rest: (text: string) => string },
): string {
  let [done, at] = ['', 0];
  for (const { index, 0: link } of text.matchAll(BARE_LINKS)) {
    const words = wordsOfLink(link, nameOf);
    if (words === null) continue;
    done += rest(text.slice(at, index)) + links(words);
    at = index + link.length;
  }
  return done + rest(text.slice(at));
}

/** A plain body without the quoted message that clients put before an answer (Matrix: rich replies, fallbacks). */
export function withoutReplyFallback(body: string): string {
  if (!/^> <[^>\n]+>|^> \* <[^>\n]+>/.test(body)) return body;
  const lines = body.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('>'));
  if (end < 0) return body;
  return lines.slice(lines[end] === '' ? end + 1 : end).join('\n');
}

function isDeep(html: string): boolean {
  let depth = 0;
  for (const [, closing, name] of html.matchAll(/<(\/?)([a-z][a-z0-9:-]*)/gi)) {
    if (/^(br|hr|img|p|li|dt|dd|tr|td|th)$/i.test(name!)) continue;
    depth = Math.max(0, depth + (closing ? -1 : 1));
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}
