import { headerValues, splitMail } from './raw-mail.js';
import { cleanLine } from './text.js';

/** What a delivery status notification (RFC 3464) says. */
export type DeliveryReport =
  | { readonly kind: 'failed'; readonly text: string }
  /** Delayed, delivered or relayed: nobody needs to be told. */
  | { readonly kind: 'progress' }
  /** A holiday note or the like: says nothing about delivery. */
  | { readonly kind: 'auto-reply' };

const PARSER = { keepDeliveryStatus: true, skipTextToHtml: true, skipHtmlToText: true, checksumAlgo: false } as const;

type Fields = ReadonlyMap<string, string>;

/** Never throws: a mail to a bounce address that cannot be read as a report still says that the message came back. */
export async function readDeliveryReport(raw: Buffer): Promise<DeliveryReport> {
  const recipients = await recipientsOf(raw);
  if (recipients.length > 0) return judge(recipients);
  return isAutoReply(raw)
    ? { kind: 'auto-reply' }
    : { kind: 'failed', text: 'The message came back without a readable reason.' };
}

async function recipientsOf(raw: Buffer): Promise<Fields[]> {
  const { simpleParser } = await import('mailparser'); // heavy: not before there is mail
  const parts = await simpleParser(raw, PARSER).then(
    ({ attachments }) => attachments,
    () => [],
  );
  const reports = parts.filter(({ contentType }) => /^message\/(global-)?delivery-status$/i.test(contentType));
  return reports.flatMap(({ content }) => readBlocks(content.toString())).filter((fields) => fields.has('action'));
}

/** One block of fields a recipient, and one about the mail as a whole. Field names are foreign: a Map, never an object. */
function readBlocks(text: string): Fields[] {
  const unfolded = text.replace(/\r\n?/g, '\n').replace(/\n(?=[ \t])/g, '');
  return unfolded.split(/\n{2,}/).map((block) => {
    const lines = block.split('\n').filter((line) => line.includes(':'));
    return new Map(lines.map((line) => [nameOf(line), line.slice(line.indexOf(':') + 1).trim()]));
  });
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':')).trim().toLowerCase();
}

function judge(recipients: readonly Fields[]): DeliveryReport {
  const failed = recipients.filter((fields) => /^failed\b/i.test(fields.get('action')!));
  return failed.length === 0
    ? { kind: 'progress' }
    : { kind: 'failed', text: cleanLine(failed.map(explain).join(' '), 1_000) };
}

function explain(fields: Fields): string {
  const receiver = valueOf(fields, 'original-recipient') || valueOf(fields, 'final-recipient');
  const words = valueOf(fields, 'diagnostic-code') || fields.get('status') || 'no reason given';
  return `The mail server of ${receiver || 'the receiver'} returned the message: ${words}.`;
}

/** `rfc822; alice@example.com` -> `alice@example.com` */
function valueOf(fields: Fields, name: string): string {
  return cleanLine((fields.get(name) ?? '').replace(/^[\w-]+\s*;/, ''), 300);
}

function isAutoReply(raw: Buffer): boolean {
  return headerValues(splitMail(raw).header, 'Auto-Submitted').some((value) => !/^no\b/i.test(value));
}
