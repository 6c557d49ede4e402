import { createHash } from 'node:crypto';
import type { Attachment, EmailAddress, ParsedMail } from 'mailparser';
import { detectExtension } from 'nodemailer/lib/mime-funcs';
import type { ForeignAddress, RemoteId } from '../../common/ids.js';
import type { NeutralAttachment, NeutralMessage } from '../../gateway/adapter/message.js';
import { parseMailbox, toForeign } from './address.js';
import type { EmailContext } from './context.js';
import { MailRefusedError } from './errors.js';
import { htmlToMarkdown, type InlineImages } from './html.js';
import { extendReferences, findMessageIds } from './message-id.js';
import { headerValues, refuseUnreasonable, splitMail } from './raw-mail.js';
import { cleanFileName, cleanLine, cleanText } from './text.js';
import { within } from './time-limit.js';

const PARSE_MS = 10_000;
const MAX_PARTS = 1_000;
const MAX_SUBJECT = 500;
const MAX_THREAD_IDS = 50;
const MEDIA_TYPE = /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}$/;
/** What newsletters put into a text part that nobody is meant to read. */
const STUB =
  /not (support|display) html|html[- ]?(e-?mail|version|message|viewer|capable)|view .{0,60}(browser|online)/i;

export interface IncomingMail {
  readonly from: ForeignAddress;
  readonly remoteId: RemoteId;
  readonly message: NeutralMessage;
  readonly inReplyTo: readonly RemoteId[];
  readonly dedup: string;
  /** All that the conversation keeps, but for what authentication says. */
  readonly context: Omit<EmailContext, 'dmarcFailed' | 'bounceable'>;
}

export interface Envelope {
  /** Empty for the null sender. */
  readonly from: string;
  /** Our mail domain in RCPT TO. */
  readonly domain: string;
  readonly receivedAt: number;
}

/**
 * Reads a mail as it came over the wire.
 * @throws MailRefusedError HEADER_TOO_LARGE, MALFORMED_MAIL
 */
export async function fromEmail(raw: Buffer, envelope: Envelope): Promise<IncomingMail> {
  refuseUnreasonable(raw);
  const { header, body } = splitMail(raw);
  const mail = await parseMail(raw);
  const peer = authorOf(mail, envelope.from);
  const remoteId = messageIdOf(header, body);
  const inReplyTo = answeredIds(header);
  const references = headerValues(header, 'References').flatMap(findMessageIds);
  const subject = cleanLine(mail.subject ?? '', MAX_SUBJECT);
  return {
    from: toForeign(peer.address),
    remoteId,
    inReplyTo,
    message: {
      ...contentOf(mail, raw),
      type: inReplyTo.length > 0 ? 'reply' : 'new',
      ...(subject === '' ? {} : { subject }),
      sentAt: sentAt(header, envelope.receivedAt),
    },
    dedup: [envelope.from, remoteId, digest(body)].join('\n'),
    context: {
      subject,
      references: extendReferences(references, ...inReplyTo.slice(0, 1), remoteId),
      peer,
      domain: envelope.domain,
      envelopeFrom: envelope.from,
      auto: isAutomatic(header),
    },
  };
}

/** @throws MailRefusedError MALFORMED_MAIL */
async function parseMail(raw: Buffer): Promise<ParsedMail> {
  const { simpleParser } = await import('mailparser'); // heavy: not before there is mail
  try {
    return await within(PARSE_MS, simpleParser(raw, PARSER));
  } catch (cause) {
    const reason = `The mail cannot be read; it may have more than ${MAX_PARTS} parts.`;
    throw new MailRefusedError({ code: 'MALFORMED_MAIL', reason, cause });
  }
}

const PARSER = {
  skipTextToHtml: true,
  skipTextLinks: true,
  skipHtmlToText: true,
  keepCidLinks: true,
  maxChildNodes: MAX_PARTS,
  checksumAlgo: false,
} as const;

/** The first usable mailbox in From; the envelope sender where there is none. */
function authorOf(mail: ParsedMail, envelopeFrom: string): EmailContext['peer'] {
  const mailboxes = (mail.from?.value ?? []).flatMap((entry): EmailAddress[] => entry.group ?? [entry]);
  for (const { name, address } of [...mailboxes, { name: '', address: envelopeFrom }]) {
    const mailbox = parseMailbox(address ?? '');
    if (mailbox !== null) return { address: mailbox, name: cleanLine(name, 120) };
  }
  throw new MailRefusedError({ code: 'MALFORMED_MAIL', reason: 'The mail has no usable address in From.' });
}

function contentOf(mail: ParsedMail, raw: Buffer): Pick<NeutralMessage, 'text' | 'attachments'> {
  const attachments = mail.attachments.map(toAttachment);
  const images = inlineImages(mail.attachments, attachments);
  const { text, original } = textOf(mail, raw, images);
  const all = original === null ? attachments : [...attachments, original];
  return { text: text === '' ? emptyText(all.length) : text, attachments: all };
}

function textOf(
  mail: ParsedMail,
  raw: Buffer,
  images: InlineImages,
): { text: string; original: NeutralAttachment | null } {
  const plain = nameImages(cleanText(mail.text ?? '').trim(), images);
  const areTwins = /multipart\/alternative/i.test(raw.toString('latin1'));
  if (!mail.html || (areTwins && !isStub(plain))) return { text: plain, original: null };
  const { text, reduced } = htmlToMarkdown(mail.html, images);
  const rich = cleanText(text).trim();
  // Without alternatives both parts belong to the message, a footer for example.
  const parts = areTwins ? [rich || plain] : [plain, rich];
  return { text: parts.filter(Boolean).join('\n\n'), original: reduced ? htmlAttachment(mail.html) : null };
}

function isStub(plain: string): boolean {
  return plain === '' || (plain.length < 300 && STUB.test(plain));
}

function htmlAttachment(html: string): NeutralAttachment {
  return { name: 'original.html', mediaType: 'text/html', content: { bytes: Buffer.from(html) } };
}

function emptyText(attachments: number): string {
  if (attachments === 0) return '(empty message)';
  return attachments === 1 ? '(no text, 1 attachment)' : `(no text, ${attachments} attachments)`;
}

function toAttachment(part: Attachment, index: number): NeutralAttachment {
  // False where the part's own header cannot be read, whatever the types say.
  const declared = (part.contentType || '').toLowerCase();
  const mediaType = MEDIA_TYPE.test(declared) ? declared : 'application/octet-stream';
  const fallback = `attachment-${index + 1}.${detectExtension(mediaType)}`;
  return { name: cleanFileName(part.filename, fallback), mediaType, content: { bytes: part.content } };
}

function inlineImages(parts: readonly Attachment[], attachments: readonly NeutralAttachment[]): InlineImages {
  const entries = parts.map(({ cid }, index) => [cid ?? '', attachments[index]!.name] as const);
  return new Map(entries.filter(([cid]) => cid !== ''));
}

/** Outlook writes `[cid:…]` into the text part where the image stands. */
function nameImages(text: string, images: InlineImages): string {
  return text.replace(/\[cid:([^\]\s]{1,250})\]/g, (whole, cid: string) =>
    images.has(cid) ? `[image: ${images.get(cid)}]` : whole,
  );
}

/** A mail without a usable Message-ID gets one that is the same however often and by whichever way it comes. */
function messageIdOf(header: Buffer, body: Buffer): RemoteId {
  const [id] = headerValues(header, 'Message-ID').flatMap(findMessageIds);
  if (id !== undefined) return id;
  const fields = ['From', 'Date', 'Subject'].flatMap((name) => headerValues(header, name));
  return `<${digest(Buffer.concat([Buffer.from(fields.join('\n')), body]))}@missing>` as RemoteId;
}

/** In-Reply-To first; References from its end, since the direct parent may be unknown to us or left out. */
function answeredIds(header: Buffer): RemoteId[] {
  const parents = headerValues(header, 'In-Reply-To').flatMap(findMessageIds);
  const ancestors = headerValues(header, 'References').flatMap(findMessageIds).reverse();
  return [...new Set([...parents, ...ancestors])].slice(0, MAX_THREAD_IDS);
}

/** The author's clock, as long as it is not ahead of ours. */
function sentAt(header: Buffer, receivedAt: number): number {
  const written = Date.parse(headerValues(header, 'Date')[0] ?? '');
  return written >= 0 && written < receivedAt ? written : receivedAt;
}

/** RFC 3834 §2 and the habits from before it. */
function isAutomatic(header: Buffer): boolean {
  const submitted = headerValues(header, 'Auto-Submitted').some((value) => !/^no\b/i.test(value));
  const bulk = headerValues(header, 'Precedence').some((value) => /^(bulk|list|junk)\b/i.test(value));
  return submitted || bulk || headerValues(header, 'List-Id').length > 0;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
