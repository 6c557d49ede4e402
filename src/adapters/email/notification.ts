import MimeNode from 'nodemailer/lib/mime-node';
import { parseMailbox, toWirePath } from './address.js';
import { signMail } from './dkim.js';
import { LOOP_HEADER, loopMark } from './loop.js';
import { ownMessageId } from './message-id.js';
import type { RenderedMail } from './rendering.js';
import { cleanLine, cleanText } from './text.js';
import type { RenderOptions } from './to-email.js';

/** What the service itself has to say to somebody outside, on nobody's behalf. */
export interface Notification {
  /** 64 hex digits. */
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/**
 * A mailbox that notifications may go to: not one of ours, which would be told of its own notifications. One that
 * forwards to us is stopped by the loop mark.
 */
export function notifiableMailbox(text: string, ownDomains: readonly string[]): string | null {
  const mailbox = parseMailbox(text);
  const domain = mailbox === null ? '' : toWirePath(mailbox).split('@').at(-1)!;
  return ownDomains.includes(domain) ? null : mailbox;
}

/**
 * Makes the mail for a notification, from the null sender: nobody here could do anything about a bounce.
 * @throws DeliveryFailedError BAD_ADDRESS, permanent
 */
export async function toNotification(
  { id, to, subject, text }: Notification,
  { domains, secret, dkim, now }: RenderOptions & { now: number },
): Promise<RenderedMail> {
  const domain = domains[0]!;
  const path = toWirePath(to);
  const root = new MimeNode('text/plain; charset=utf-8', { newline: 'win' });
  root.setHeader([
    { key: 'From', value: `"dm3 notifications" <noreply@${domain}>` },
    { key: 'To', value: path },
    { key: 'Subject', value: cleanLine(subject, 78) },
    { key: 'Date', value: new Date(now).toUTCString().replace('GMT', '+0000') },
    { key: 'Message-ID', value: ownMessageId(id, domain) },
    { key: 'Auto-Submitted', value: 'auto-generated' },
    { key: 'X-Auto-Response-Suppress', value: 'All' },
    { key: LOOP_HEADER, value: loopMark(secret, id) },
  ]);
  root.setContent(cleanText(text).replaceAll('\n', '\r\n'));
  const raw = await signMail(await root.build(), dkim, { domain, at: now });
  return { envelope: { from: '', to: path }, raw };
}
