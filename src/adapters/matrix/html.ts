import MarkdownIt from 'markdown-it';
import sanitizeHtml from 'sanitize-html';
import TurndownService from 'turndown';
import { cleanText } from './text.js';

const MAX_LENGTH = 65_536;
const MAX_DEPTH = 100;

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

const markdown = new MarkdownIt({ html: false, linkify: false, breaks: true }).disable('image');

/** How people are named who are mentioned by a link: a ghost by its ENS name. */
export type NameOf = (matrixId: string) => string;

/** HTML for `formatted_body`; null where it would say nothing that the plain text does not. */
export function markdownToHtml(text: string): string | null {
  const html = markdown.render(text);
  const plain = `<p>${markdown.utils.escapeHtml(text.trim()).replaceAll('\n', '<br>\n')}</p>\n`;
  return html === plain ? null : sanitizeHtml(html, SANITIZER).trim();
}

/**
 * Markdown of a `formatted_body`. Whatever is no formatting that Matrix allows is left out, with the copy of the
 * message it answers; links to people and rooms on matrix.to become their names.
 * @returns null for HTML that is too large or too deep to be looked into: the plain body says the same
 */
export function htmlToMarkdown(html: string, nameOf: NameOf): string | null {
  if (html.length > MAX_LENGTH || isDeep(html)) return null;
  return cleanText(turndown(nameOf).turndown(sanitizeHtml(html, SANITIZER))).trim();
}

function turndown(nameOf: NameOf): TurndownService {
  const service = new TurndownService({ headingStyle: 'atx', codeBlockStyle: 'fenced', bulletListMarker: '-' });
  service.addRule('strike', { filter: ['del', 's'], replacement: (content) => `~~${content}~~` });
  service.addRule('mention', {
    filter: (node) => node.nodeName === 'A' && mentioned(node.getAttribute('href') ?? '') !== null,
    replacement: (_, node) =>
      nameOf(mentioned((node as unknown as { getAttribute(name: string): string }).getAttribute('href'))!),
  });
  return service;
}

/** The id that a matrix.to link or a `matrix:` URI names; null for other links. */
export function mentioned(href: string): string | null {
  const link = /^https:\/\/matrix\.to\/#\/([^?/]+)(?:[?/].*)?$/i.exec(href);
  const uri = /^matrix:(u|r|roomid)\/([^?/]+)(?:[?/].*)?$/i.exec(href);
  try {
    if (link) return /^[@#!]/.test(decodeURIComponent(link[1]!)) ? decodeURIComponent(link[1]!) : null;
    if (uri) return { u: '@', r: '#', roomid: '!' }[uri[1]!.toLowerCase()]! + decodeURIComponent(uri[2]!);
  } catch {
    return null; // broken escapes
  }
  return null;
}

/** The same in plain bodies, where a link to a person or room stands bare. */
export function cleanPlain(text: string, nameOf: NameOf): string {
  return cleanText(text).replace(/https:\/\/matrix\.to\/#\/[^\s)>\]]+/gi, (link) => {
    const id = mentioned(link);
    return id === null || id.startsWith('!') ? link : nameOf(id);
  });
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
