import sanitizeHtml from 'sanitize-html';
import TurndownService from 'turndown';
import { cleanLine } from './text.js';

const MAX_LENGTH = 524_288;
const MAX_DEPTH = 200;
/** Hold nothing, or are closed by the next of their kind: a long run of them does not nest. */
const FLAT =
  /^(area|base|br|col|embed|hr|img|input|link|meta|source|wbr|p|li|dt|dd|tr|td|th|tbody|thead|tfoot|option)$/i;

/** Names of inline images by Content-ID. */
export type InlineImages = ReadonlyMap<string, string>;

/** Markdown of an HTML mail; `reduced` where the HTML is too large or too deep and only its bare text was kept. */
export function htmlToMarkdown(html: string, images: InlineImages): { text: string; reduced: boolean } {
  if (html.length > MAX_LENGTH || isDeep(html)) return { text: bareText(html), reduced: true };
  return { text: turndown(images).turndown(sanitizeHtml(html, SANITIZER)).trim(), reduced: false };
}

const SANITIZER: sanitizeHtml.IOptions = {
  allowedTags: [...sanitizeHtml.defaults.allowedTags, 'img'],
  allowedAttributes: { a: ['href'], img: ['src', 'alt'] },
  allowedSchemes: ['http', 'https', 'mailto'],
  allowedSchemesByTag: { img: ['http', 'https', 'cid'] },
  nonTextTags: ['style', 'script', 'textarea', 'option', 'noscript', 'title'],
};

function turndown(images: InlineImages): TurndownService {
  const service = new TurndownService({ headingStyle: 'atx', codeBlockStyle: 'fenced', bulletListMarker: '-' });
  service.addRule('images', {
    filter: 'img',
    replacement: (_, node) => {
      const image = node as unknown as { getAttribute(name: string): string | null };
      return imageText(image.getAttribute('src') ?? '', image.getAttribute('alt') ?? '', images);
    },
  });
  return service;
}

/** Remote images are named, not linked as images: showing one would tell its owner who reads when. */
function imageText(src: string, alt: string, images: InlineImages): string {
  const label = cleanLine(alt, 100).replace(/[[\]]/g, '');
  if (src.startsWith('cid:')) return `[image: ${images.get(src.slice(4)) ?? (label || 'inline')}]`;
  const link = src.replace(/\s/g, '').replaceAll('(', '%28').replaceAll(')', '%29');
  return label === '' ? '' : `[image: ${label}](${link})`;
}

function isDeep(html: string): boolean {
  let depth = 0;
  for (const [, closing, name] of html.matchAll(/<(\/?)([a-z][a-z0-9:-]*)/gi)) {
    if (FLAT.test(name!)) continue;
    depth = Math.max(0, depth + (closing ? -1 : 1));
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

/** Linear in time whatever the markup. */
function bareText(html: string): string {
  const text = html
    .replace(/<[^<>]*>/g, ' ')
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>');
  const lines = text.replaceAll('&amp;', '&').split('\n');
  return lines
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter(Boolean)
    .join('\n');
}
