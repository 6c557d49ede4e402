import type { NeutralAttachment, NeutralMessage } from '../adapter/message.js';
import { AttachmentsTooLargeError, AttachmentTooLargeError } from './errors.js';
import type { LinkedFile } from './link.js';
import type { PlainFile } from './sealed-file.js';

/** How somebody counts the bytes of a message. */
export interface Scale {
  /** Of everything beside the text and the attachments. */
  readonly frameBytes: number;
  /** Of the text, or of a part of it. */
  textBytes(text: string): number;
  attachmentBytes(attachment: NeutralAttachment): number;
}

export interface Measure extends Scale {
  /** Whether so many in all are taken. */
  fits(bytes: number): boolean;
}

/** Where files stay that do not fit. */
export interface Shelf {
  readonly maxBytes: number;
  readonly maxBytesPerMessage: number;
  link(file: PlainFile): LinkedFile;
  /** What stands in the text for it. */
  line(file: LinkedFile): string;
}

/** A message that fits, and the files that are behind links in it. */
export interface Shrunk {
  readonly message: NeutralMessage;
  readonly files: readonly LinkedFile[];
}

/** Characters of a text that is a file itself: as many as fit. */
const BEGINNINGS = [2_000, 200];
const NOT_CUT = 40;

export function messageBytes({ text, attachments }: NeutralMessage, scale: Scale): number {
  const sizes = attachments.map((each) => scale.attachmentBytes(each));
  return sizes.reduce((sum, size) => sum + size, scale.frameBytes + scale.textBytes(text));
}

/**
 * Puts attachments behind links, the largest first and only as many as must be; where the text is too long even so, it
 * becomes a file as well and its beginning stays.
 * @returns null if nothing helps
 * @throws AttachmentTooLargeError, AttachmentsTooLargeError where it would help, but for the shelf's own limits
 */
export function shrink(message: NeutralMessage, measure: Measure, shelf: Shelf): Shrunk | null {
  const shrunk = linkLargest(message, measure, shelf) ?? linkText(message, measure, shelf);
  if (!shrunk) return refuseTooLarge(message, shelf);
  const sizeBytes = shrunk.files.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const limitBytes = shelf.maxBytesPerMessage;
  if (sizeBytes > limitBytes) throw new AttachmentsTooLargeError({ sizeBytes, limitBytes });
  return shrunk;
}

function linkLargest(message: NeutralMessage, measure: Measure, shelf: Shelf): Shrunk | null {
  const files = new Map<NeutralAttachment, LinkedFile>();
  let lines = '';
  let bytes = messageBytes(message, measure);
  for (const attachment of largestFirst(message, shelf)) {
    if (measure.fits(bytes)) break;
    const file = shelf.link(attachment.file);
    const line = `${lines === '' ? '\n\n' : '\n'}${shelf.line(file)}`;
    const saved = measure.attachmentBytes(attachment.whole) - measure.textBytes(line);
    if (saved <= 0) break; // smaller than its link, as are those that follow
    bytes -= saved;
    lines += line;
    files.set(attachment.whole, file);
  }
  if (!measure.fits(bytes)) return null;
  const attachments = message.attachments.filter((attachment) => !files.has(attachment));
  return { message: { ...message, text: `${message.text}${lines}`, attachments }, files: [...files.values()] };
}

interface Candidate {
  readonly whole: NeutralAttachment;
  readonly file: PlainFile;
}

function largestFirst({ attachments }: NeutralMessage, { maxBytes }: Shelf): Candidate[] {
  const candidates = attachments.flatMap((whole): Candidate[] => {
    const { name, mediaType, content } = whole;
    return 'bytes' in content ? [{ whole, file: { name, mediaType, bytes: content.bytes } }] : [];
  });
  const kept = candidates.filter(({ file }) => file.bytes.length <= maxBytes);
  return kept.sort((a, b) => b.file.bytes.length - a.file.bytes.length);
}

function linkText(message: NeutralMessage, measure: Measure, shelf: Shelf): Shrunk | null {
  const file = { name: 'message.txt', mediaType: 'text/plain', bytes: Buffer.from(message.text) };
  if (file.bytes.length > shelf.maxBytes) return null;
  const linked = shelf.link(file);
  for (const length of BEGINNINGS) {
    const text = `${beginning(message.text, length)}\n\nThe whole text:\n${shelf.line(linked)}`;
    const shrunk = linkLargest({ ...message, text }, measure, shelf);
    if (shrunk) return { ...shrunk, files: [linked, ...shrunk.files] };
  }
  return null;
}

/** Ends between words where one ends nearby. */
function beginning(text: string, length: number): string {
  const characters = Array.from(text.slice(0, 2 * (length + 1)));
  if (characters.length <= length) return text;
  const cut = characters.slice(0, length).join('');
  const space = cut.search(/\s\S*$/);
  return `${space > cut.length - NOT_CUT ? cut.slice(0, space) : cut}…`;
}

/** @throws AttachmentTooLargeError */
function refuseTooLarge({ attachments }: NeutralMessage, { maxBytes: limitBytes }: Shelf): null {
  for (const { name, content } of attachments) {
    const sizeBytes = 'bytes' in content ? content.bytes.length : 0;
    if (sizeBytes > limitBytes) throw new AttachmentTooLargeError({ name, sizeBytes, limitBytes });
  }
  return null;
}
