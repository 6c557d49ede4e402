import MarkdownIt from 'markdown-it';
import MailComposer from 'nodemailer/lib/mail-composer';
import type { OutgoingMessage, Rendering } from '../../gateway/adapter/adapter.js';
import { UnsupportedMessageError } from '../../gateway/adapter/errors.js';
import type { NeutralAttachment, NeutralMessage } from '../../gateway/adapter/message.js';
import { formatMailbox, senderMailbox, toWirePath } from './address.js';
import { readContext, type EmailContext } from './context.js';
import { signMail, type DkimKey } from './dkim.js';
import { LOOP_HEADER, loopMark } from './loop.js';
import { extendReferences, ownMessageId } from './message-id.js';
import { encodeMail } from './rendering.js';
import { cleanFileName, cleanLine, cleanText } from './text.js';
import { bounceAddress } from './verp.js';

const MAX_SUBJECT = 78;
/** Enough for a subject once its markdown is gone. */
const MAX_FIRST_LINE = 1_000;
const MAX_HTML_SOURCE = 262_144;
/** The year 9999, the last one that a Date header can name. */
const LAST_DATE = 253_402_300_799_000;
const DAY_MS = 86_400_000;
/** `message/*` and `multipart/*` would have to go unencoded (RFC 2046 §5.2.1). */
const ENCODABLE_TYPE = /^(?!message\/|multipart\/)[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}$/;

export interface RenderOptions {
  /** Our mail domains, the default first. */
  readonly domains: readonly string[];
  readonly secret: Uint8Array;
  readonly dkim: DkimKey | null;
  readonly footer: boolean;
}

/**
 * Makes the mail for a dm3 message. The same message always gives the same bytes.
 * @throws DeliveryFailedError, UnsupportedMessageError: both permanent
 */
export async function toEmail(outgoing: OutgoingMessage, options: RenderOptions & { now: number }): Promise<Rendering> {
  const { id, message } = outgoing;
  refuseUnsupported(message);
  const context = readContext(outgoing.conversation);
  const domain = ownDomain(context, options.domains);
  const messageId = ownMessageId(id, domain);
  const peer = peerOf(outgoing, context);
  const to = toWirePath(peer.address);
  const thread = threadOf(outgoing, context);
  const at = Math.min(Math.max(message.sentAt, 0), LAST_DATE);
  const raw = await compose({
    ...bodyOf(outgoing, options.footer),
    baseBoundary: id.slice(0, 32),
    messageId,
    date: new Date(at),
    from: senderMailbox(outgoing.from, domain),
    to: { name: peer.name, address: to },
    subject: thread.subject,
    inReplyTo: thread.inReplyTo,
    references: [...thread.references],
    headers: { [LOOP_HEADER]: loopMark(options.secret, id) },
  });
  const signedAt = isRecent(at, options.now) ? at : options.now;
  const signed = await signMail(raw, options.dkim, { domain, at: signedAt });
  const from = bounceAddress(options.secret, { id, domain, at: signedAt });
  return {
    remoteIds: [messageId],
    body: encodeMail({ envelope: { from, to }, raw: signed }),
    conversation: nextContext({ context, thread, peer, domain, messageId }),
  };
}

/** An author's clock may be wrong, or the message may have waited for weeks: signature and bounce address must not. */
function isRecent(at: number, now: number): boolean {
  return at <= now && at > now - DAY_MS;
}

/** Builds the bytes with CR LF throughout; nothing is fetched from files or the network. */
async function compose(mail: ConstructorParameters<typeof MailComposer>[0]): Promise<Buffer> {
  // Quoted-printable survives every mail server, whatever the length and the letters of a line.
  const encoding = 'quoted-printable';
  const composer = new MailComposer({
    ...mail,
    encoding,
    newline: 'win',
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}

function refuseUnsupported({ type }: NeutralMessage): void {
  if (type === 'delete') {
    throw new UnsupportedMessageError({ reason: 'A mail that was sent cannot be taken back.' });
  }
  if (type === 'read-opened' || type === 'read-received') {
    throw new UnsupportedMessageError({ reason: 'Mail carries no receipts.' });
  }
}

/** The domain that the peer wrote to, as long as it is still ours. */
function ownDomain(context: EmailContext | null, domains: readonly string[]): string {
  return context && domains.includes(context.domain) ? context.domain : domains[0]!;
}

/** The peer's own spelling, where he has written to us. */
function peerOf({ to }: OutgoingMessage, context: EmailContext | null): EmailContext['peer'] {
  const address = formatMailbox(to);
  const known = context?.peer;
  return known && known.address.toLowerCase() === address.toLowerCase() ? known : { address, name: '' };
}

interface Thread {
  /** The subject that the thread began with. */
  readonly topic: string;
  readonly subject: string;
  readonly inReplyTo: string | undefined;
  readonly references: readonly string[];
  /** The thread's ids with this message's parent. */
  readonly chain: readonly string[];
}

function threadOf(outgoing: OutgoingMessage, context: EmailContext | null): Thread {
  const chain = context?.references ?? [];
  const parent = outgoing.target ?? chain.at(-1);
  const explicit = cleanLine(outgoing.message.subject ?? '', MAX_SUBJECT);
  const topic = context?.subject || explicit || firstLine(outgoing);
  const subject = explicit || (context === null ? topic : replySubject(topic));
  if (parent === undefined) return { topic, subject, inReplyTo: parent, references: [], chain };
  const extended = extendReferences(chain, parent);
  // RFC 5322 §3.6.4: the parent's own references, then the parent.
  const references = chain.includes(parent)
    ? extendReferences(chain.slice(0, chain.indexOf(parent)), parent)
    : extended;
  return { topic, subject, inReplyTo: references.at(-1), references, chain: extended };
}

function replySubject(subject: string): string {
  return /^re:/i.test(subject) ? subject : `Re: ${subject}`;
}

/** The message's first line, without its markdown. */
function firstLine({ message, from }: OutgoingMessage): string {
  const line = cleanText(message.text).trim().split('\n', 1)[0]!.slice(0, MAX_FIRST_LINE);
  const plain = line
    .replace(/^[#>\s*+-]+/, '')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_`~]/g, '');
  return cleanLine(plain, MAX_SUBJECT) || `Message from ${senderMailbox(from, '').name}`;
}

type Body = Pick<ConstructorParameters<typeof MailComposer>[0] & object, 'text' | 'html' | 'attachments'>;

function bodyOf({ message, from }: OutgoingMessage, footer: boolean): Body {
  const text = [
    ...(message.type === 'edit' ? ['Edited:', ''] : []),
    cleanText(message.text),
    ...linksOf(message.attachments),
    ...(footer ? ['', '-- ', `${senderMailbox(from, '').name} writes over dm3; answer this mail to write back.`] : []),
  ].join('\n');
  const attachments = message.attachments.flatMap(toMailAttachment);
  if (text === '') return { attachments };
  // Longer text goes without its HTML twin: it would gain nothing and cost time.
  const html = text.length > MAX_HTML_SOURCE ? undefined : toHtml(text);
  return { text: text.replaceAll('\n', '\r\n'), html, attachments };
}

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true });

function toHtml(text: string): string {
  return `<!DOCTYPE html>\r\n<html><body>\r\n${markdown.render(text).replaceAll('\n', '\r\n')}</body></html>\r\n`;
}

function linksOf(attachments: readonly NeutralAttachment[]): string[] {
  const links = attachments.flatMap(({ name, content }) =>
    'uri' in content
      ? [`- ${cleanFileName(name, 'attachment')}: <${content.uri.replace(/[\s<>\p{Cc}]/gu, encodeURIComponent)}>`]
      : [],
  );
  return links.length === 0 ? [] : ['', ...links];
}

function toMailAttachment({ name, mediaType, content }: NeutralAttachment): NonNullable<Body['attachments']> {
  if ('uri' in content) return [];
  const contentType = ENCODABLE_TYPE.test(mediaType) ? mediaType : 'application/octet-stream';
  const filename = cleanFileName(name, 'attachment');
  return [{ filename, contentType, content: Buffer.from(content.bytes), contentDisposition: 'attachment' }];
}

function nextContext(facts: {
  context: EmailContext | null;
  thread: Thread;
  peer: EmailContext['peer'];
  domain: string;
  messageId: string;
}): EmailContext {
  const { context, thread, peer, domain, messageId } = facts;
  return {
    subject: thread.topic,
    references: extendReferences(thread.chain, messageId),
    peer,
    domain,
    envelopeFrom: context?.envelopeFrom ?? '',
    auto: context?.auto ?? false,
    dmarcFailed: context?.dmarcFailed ?? false,
    bounceable: context?.bounceable ?? false,
  };
}
