import type { NeutralAttachment } from '../adapter/message.js';
import type { PlainFile } from './sealed-file.js';

/** Where the public URL ends and links begin. */
export const LINK_PATH = 'a';
/** Hex digits only: no Markdown and no program that looks for links in a text changes or cuts those. */
const ID = /^[0-9a-f]{32}$/;

/** A file's place and its key, which nobody but the receiver gets. */
export interface Link {
  /** 128 random bits, hex. */
  readonly id: string;
  readonly key: Uint8Array;
  readonly expiresAt: Date;
}

/** A file that stays here while its message goes on. */
export interface LinkedFile extends PlainFile {
  readonly link: Link;
}

export function isLinkId(text: string): boolean {
  return ID.test(text);
}

/** The key is in the fragment, which browsers do not send. */
export function linkUrl(publicUrl: string, { id, key }: Link): string {
  return `${publicUrl}/${LINK_PATH}/${id}#${Buffer.from(key).toString('hex')}`;
}

/** What stands in the text in the file's place: every dm3 client shows it, whatever it makes of attachments. */
export function linkLine({ name, bytes, link }: LinkedFile, publicUrl: string): string {
  const facts = `${humanSize(bytes.length)}, until ${humanDate(link.expiresAt)}`;
  return `📎 ${name} (${facts}): ${linkUrl(publicUrl, link)}`;
}

/** Folders, controls and the marks that turn writing direction are taken out: `exe.txt` must not pass for `txt.exe`. */
export function fileName(name: NeutralAttachment['name']): string {
  const clean = name
    .replace(/[/\\]/g, '_')
    .replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return clean === '' || /^\.+$/.test(clean) ? 'file' : Array.from(clean).slice(0, 200).join('');
}

/** Decimal, as browsers and phones show it. */
export function humanSize(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`;
  const [divisor, unit] =
    bytes < 999_500 ? [1_000, 'KB'] : bytes < 999_500_000 ? [1_000_000, 'MB'] : [1_000_000_000, 'GB'];
  const value = bytes / divisor;
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** `3 December 2026`, by UTC. */
function humanDate(date: Date): string {
  return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
}
