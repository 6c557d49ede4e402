import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Something that a browser gets as it is. */
export interface PageFile {
  readonly body: string;
  readonly type: string;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

/** Of `page/`, which a build copies. */
function read(name: string): PageFile {
  const body = readFileSync(new URL(`page/${name}`, import.meta.url), 'utf8');
  const digest = createHash('sha256').update(body).digest('base64url');
  return { body, type: TYPES[name.split('.').at(-1)!]!, etag: `"${digest}"` };
}

/** What the page loads. */
export const PAGE_PARTS: ReadonlyMap<string, PageFile> = new Map(
  ['open.css', 'open.js', 'unseal.js'].map((name) => [name, read(name)]),
);

/** Shows and opens a file; the same for all of them, since what it is about is in the link. */
export const openPage = read('open.html');

const notice = read('notice.html').body;

/** A page that says one thing. @param title one of ours @param text for people; nothing in it is markup */
export function noticePage(title: string, text: string): string {
  return notice.replaceAll('{{title}}', () => escapeHtml(title)).replace('{{text}}', () => escapeHtml(text));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
