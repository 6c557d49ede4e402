import { domainToASCII } from 'node:url';
import { decode, encode } from 'nodemailer/lib/punycode';
import { parseEthAddress, type EnsName, type EthAddress, type ForeignAddress } from '../../common/ids.js';
import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import { MailRefusedError } from './errors.js';
import { cleanLine } from './text.js';

const SCHEME = 'mailto:';
/** RFC 5321 §4.5.3.1, octets. */
const MAX_LOCAL = 64;
const MAX_ADDRESS = 254;
const OPERATOR = new Set(['postmaster', 'abuse']);
/** RFC 5322 atext, and UTF-8 as RFC 6531 §3.3 adds it. */
const DOT_ATOM = /^[\w!#$%&'*+/=?^`{|}~\u0080-\u{10ffff}-]+(\.[\w!#$%&'*+/=?^`{|}~\u0080-\u{10ffff}-]+)*$/u;
const ASCII_DOT_ATOM = /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/;

/** Whom the address in a RCPT command means. */
export type Recipient =
  | { readonly kind: 'name'; readonly receiver: string; readonly domain: string }
  | { readonly kind: 'operator'; readonly domain: string }
  | { readonly kind: 'bounce'; readonly token: string; readonly domain: string };

/**
 * Takes the path of a RCPT command apart: `bob.eth+tag@<our domain>`, `xn--….eth@…`, `0x…@…`, `postmaster`,
 * `b+<token>@…`. The name is not normalised: that is the core's task.
 * @param domains our mail domains, ASCII
 * @throws MailRefusedError RELAY_DENIED, BAD_ADDRESS, NO_MAILBOX
 */
export function parseRecipient(path: string, domains: readonly string[]): Recipient {
  if (path.toLowerCase() === 'postmaster') return { kind: 'operator', domain: domains[0]! };
  const at = path.lastIndexOf('@');
  const domain = domainToASCII(path.slice(at + 1));
  if (at < 1 || !domains.includes(domain)) {
    throw new MailRefusedError({ code: 'RELAY_DENIED', reason: 'We do not take mail for this domain.' });
  }
  const local = unquote(path.slice(0, at));
  if (octets(local) > MAX_LOCAL || octets(path) > MAX_ADDRESS || local === '' || /\p{Cc}/u.test(local)) {
    const reason = `The part before the @ must have 1 to ${MAX_LOCAL} bytes and no control characters.`;
    throw new MailRefusedError({ code: 'BAD_ADDRESS', reason });
  }
  const bounce = /^b\+(.+)$/i.exec(local);
  if (bounce) return { kind: 'bounce', token: bounce[1]!, domain };
  return parseLocal(local.split('+', 1)[0]!, domain);
}

function parseLocal(local: string, domain: string): Recipient {
  const lower = local.toLowerCase();
  if (OPERATOR.has(lower)) return { kind: 'operator', domain };
  if (lower === 'noreply') {
    throw new MailRefusedError({ code: 'NO_MAILBOX', reason: 'Nobody reads mail to this address.' });
  }
  const receiver = local.split('.').map(decodeLabel).join('.');
  if (!receiver.includes('.') && parseEthAddress(receiver) === null) {
    const reason = `There is no ENS name before the @; for a name that ends in .eth write ${lower}.eth@${domain}.`;
    throw new MailRefusedError({ code: 'NO_MAILBOX', reason });
  }
  return { kind: 'name', receiver, domain };
}

/** ENSIP-15 forbids labels that begin with `xn--`, so such a label can only be punycode. */
function decodeLabel(label: string): string {
  if (!/^xn--/i.test(label)) return label;
  try {
    return decode(label.slice(4));
  } catch (cause) {
    throw new MailRefusedError({ code: 'BAD_ADDRESS', reason: 'A part of the name is not valid punycode.', cause });
  }
}

/** RFC 5321 §4.1.2: "bob.eth"@… and bob.eth@… are one mailbox. */
function unquote(local: string): string {
  return /^".*"$/s.test(local) ? local.slice(1, -1).replace(/\\(.)/gs, '$1') : local;
}

/** The address of somebody outside, unquoted, as a parser gave it; null if mail could not be sent to it. */
export function parseMailbox(text: string): string | null {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  if (at < 1 || octets(text) > MAX_ADDRESS || octets(local) > MAX_LOCAL) return null;
  if (/[\p{Cc}@<>]/u.test(local) || asciiDomain(text) === null) return null;
  return text;
}

export function toForeign(mailbox: string): ForeignAddress {
  return `${SCHEME}${mailbox}` as ForeignAddress;
}

export function isMailto(address: ForeignAddress): boolean {
  return address.startsWith(SCHEME);
}

/** `mailto:alice@example.com` -> `alice@example.com` */
export function formatMailbox(address: ForeignAddress): string {
  return address.slice(SCHEME.length);
}

/** The domain of a mailbox for DNS, lower-case ASCII; null if it is not a host name. */
export function asciiDomain(mailbox: string): string | null {
  const domain = domainToASCII(mailbox.slice(mailbox.lastIndexOf('@') + 1));
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(domain) ? domain : null;
}

/**
 * A mailbox as it may stand in RCPT TO and in To: quoted where it must be, its domain in ASCII.
 * @throws DeliveryFailedError BAD_ADDRESS, permanent
 */
export function toWirePath(mailbox: string): string {
  const valid = parseMailbox(mailbox);
  if (valid === null) {
    const reason = 'The receiver is not a valid email address; check it and send the message again.';
    throw new DeliveryFailedError({ code: 'BAD_ADDRESS', reason, retryable: false });
  }
  const local = valid.slice(0, valid.lastIndexOf('@'));
  const quoted = DOT_ATOM.test(local) ? local : `"${local.replace(/["\\]/g, String.raw`\$&`)}"`;
  return `${quoted}@${asciiDomain(valid)}`;
}

/** A dm3 user as mail shows him. The mailbox is ASCII, since many mail programs still refuse anything else. */
export function senderMailbox(
  from: { name: EnsName; address: EthAddress },
  domain: string,
): { name: string; address: string } {
  const local = encodeLocal(from.name);
  // A display name that holds another address is the classic disguise.
  const name = from.name.includes('@') ? from.address : cleanLine(from.name, 120);
  return { name, address: `${local ?? from.address}@${domain}` };
}

/** `🦊.eth` -> `xn--9s9h.eth`; null where the name is no local part or has more than 64 octets. */
export function encodeLocal(name: string): string | null {
  const local = name
    .split('.')
    .map((label) => (/^[\0-\x7f]*$/.test(label) ? label : `xn--${encode(label)}`))
    .join('.');
  return local.length <= MAX_LOCAL && ASCII_DOT_ATOM.test(local) ? local : null;
}

function octets(text: string): number {
  return Buffer.byteLength(text);
}
