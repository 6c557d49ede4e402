import MimeNode from 'nodemailer/lib/mime-node';
import type { OutgoingNotice, Rendering } from '../../gateway/adapter/adapter.js';
import { encodeLocal, toWirePath } from './address.js';
import { readContext, type EmailContext } from './context.js';
import { signMail } from './dkim.js';
import { failureStatus } from './errors.js';
import { ownMessageId } from './message-id.js';
import { encodeMail } from './rendering.js';
import { cleanLine, cleanText } from './text.js';
import type { RenderOptions } from './to-email.js';

/**
 * Makes the delivery status notification (RFC 3464) for a mail that did not reach its receiver; it goes to the mail's
 * envelope sender, from the null sender.
 * @returns null where a notice would answer a machine or hit a bystander (RFC 3834 §2, RFC 5321 §6.1)
 * @throws DeliveryFailedError, permanent
 */
export async function toNotice(
  notice: OutgoingNotice,
  options: RenderOptions & { now: number },
): Promise<Rendering | null> {
  if (!isToldByMail(notice)) return null;
  const context = readContext(notice.conversation);
  if (context === null || context.auto || context.dmarcFailed || !context.bounceable) return null;
  if (context.envelopeFrom === '') return null;
  const to = toWirePath(context.envelopeFrom);
  const raw = await build(notice, context, { to, now: options.now });
  const signed = await signMail(raw, options.dkim, { domain: context.domain, at: options.now });
  return {
    remoteIds: [ownMessageId(notice.id, context.domain)],
    body: encodeMail({ envelope: { from: '', to }, raw: signed }),
    conversation: notice.conversation,
  };
}

/** A mail cannot be taken back, so nobody is told that one has arrived after all. */
type MailedNotice = OutgoingNotice & { readonly status: keyof typeof HEADINGS };

function isToldByMail(notice: OutgoingNotice): notice is MailedNotice {
  return notice.status in HEADINGS;
}

function build(notice: MailedNotice, context: EmailContext, { to, now }: { to: string; now: number }): Promise<Buffer> {
  const type = 'multipart/report; report-type=delivery-status';
  const root = new MimeNode(type, { baseBoundary: notice.id.slice(0, 32), newline: 'win' });
  root.setHeader([
    { key: 'From', value: `"Mail delivery" <postmaster@${context.domain}>` },
    { key: 'To', value: to },
    { key: 'Subject', value: `${HEADINGS[notice.status]}: ${context.subject || 'no subject'}` },
    { key: 'Date', value: mailDate(now) },
    { key: 'Message-ID', value: ownMessageId(notice.id, context.domain) },
    { key: 'In-Reply-To', value: notice.about },
    { key: 'References', value: notice.about },
    { key: 'Auto-Submitted', value: 'auto-replied' },
    { key: 'X-Auto-Response-Suppress', value: 'All' },
  ]);
  root.createChild('text/plain; charset=utf-8').setContent(explain(notice, context));
  root.createChild('message/delivery-status').setContent(statusFields(notice, context));
  root.createChild('text/rfc822-headers; charset=utf-8').setContent(originalHeaders(notice, context));
  return root.build();
}

const HEADINGS = { failed: 'Undelivered mail', delayed: 'Delayed mail' } as const;
const VERBS = { failed: 'did not reach', delayed: 'has not reached' } as const;

function explain({ receiver, reason, status }: MailedNotice, context: EmailContext): string {
  const subject = context.subject === '' ? '' : ` ("${context.subject}")`;
  const yet = status === 'delayed' ? ' yet' : '';
  const lines = [
    `Your mail${subject} ${VERBS[status]} ${cleanLine(receiver, 300)}${yet}.`,
    '',
    cleanText(reason.text),
    '',
    `(${reason.code})`,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

/** RFC 3463 §3.5: delivery time expired, of the class that passes. */
const DELAY_STATUS = '4.4.7';

const mailDate = (at: number) => new Date(at).toUTCString().replace('GMT', '+0000');

/** RFC 3464 §2.2, §2.3 */
function statusFields({ receiver, reason, status, until }: OutgoingNotice, { domain }: EmailContext): string {
  const text = cleanLine(reason.text, 400).replace(/[^\x20-\x7e]/g, '?');
  const lines = [
    `Reporting-MTA: dns; ${domain}`,
    '',
    `Final-Recipient: rfc822; ${receiverAddress(receiver, domain)}`,
    `Action: ${status}`,
    `Status: ${status === 'delayed' ? DELAY_STATUS : failureStatus(reason.code)}`,
    ...(until === undefined ? [] : [`Will-Retry-Until: ${mailDate(until)}`]),
    `Diagnostic-Code: x-dm3; ${text}`,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function receiverAddress(receiver: string, domain: string): string {
  const [name = ''] = receiver.split('@', 1);
  return `${encodeLocal(name) ?? 'unknown'}@${domain}`;
}

function originalHeaders({ about }: OutgoingNotice, { subject }: EmailContext): string {
  return `Message-ID: ${about}\r\nSubject: ${MimeNode.encodeHeaderValue('Subject', subject)}\r\n`;
}
