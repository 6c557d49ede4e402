import { domainToASCII } from 'node:url';
import { INVISIBLE } from '../invisible.js';
import { InvalidForeignAddressError } from './codec.js';
import { hostComplaint } from './host-part.js';

/** A mailbox in canonical form. */
export interface EmailAddress {
  /** Unquoted, NFC, lower case: in practice no mail server tells `Bob` from `bob`. */
  readonly local: string;
  /** A-labels, lower case. */
  readonly domain: string;
}

/** RFC 5321 §4.5.3.1: octets of the local part as written, and of a path without its angle brackets. */
const MAX_LOCAL_OCTETS = 64;
const MAX_OCTETS = 254;

const QUOTED = /^"(?<local>(?:[^"\\]|\\.)*)"@(?<domain>.*)$/su;

/** RFC 5322 atext with the UTF-8 of RFC 6531. */
const ATEXT = String.raw`a-z0-9!#$%&'*+/=?^_{|}~\x60\u0080-\u{10ffff}-`;
const DOT_STRING = new RegExp(String.raw`^[${ATEXT}]+(?:\.[${ATEXT}]+)*$`, 'iu');
/** Dots in odd places break RFC 5321, but such mailboxes exist and people write them without quotes. */
const UNQUOTED = new RegExp(`^[.${ATEXT}]+$`, 'iu');

const ASCII_IN_DOMAIN = /^[a-z0-9.\u0080-\u{10ffff}-]+$/iu;

/**
 * Reads an address (RFC 5321 Mailbox, RFC 6531), quoted or not, in any case, its domain in Unicode or in A-labels.
 * Percent signs are the address's own: this is not the percent-encoding of RFC 6068.
 * @throws InvalidForeignAddressError
 */
export function parseEmailAddress(text: string): EmailAddress {
  const refuse = (reason: string) => new InvalidForeignAddressError({ address: text, reason });
  if (INVISIBLE.test(text)) throw refuse('holds invisible characters, control characters or line breaks');
  if (/^@.*:/s.test(text)) throw refuse('is a source route');
  const { local, domain } = split(text) ?? {};
  if (local === undefined || domain === undefined) throw refuse('is not of the form name@domain');
  return canonicalEmail(local, domain);
}

/**
 * @param local unquoted.
 * @throws InvalidForeignAddressError
 */
export function canonicalEmail(local: string, domain: string): EmailAddress {
  const refuse = (reason: string) => new InvalidForeignAddressError({ address: `${local}@${domain}`, reason });
  if (local === '') throw refuse('has nothing before the @');
  if (INVISIBLE.test(local)) throw refuse('holds invisible characters, control characters or line breaks');
  const address = { local: local.normalize('NFC').toLowerCase().normalize('NFC'), domain: asciiDomain(domain, refuse) };
  if (Buffer.byteLength(quotedLocal(address.local)) > MAX_LOCAL_OCTETS) {
    throw refuse(`has more than ${MAX_LOCAL_OCTETS} octets before the @`);
  }
  if (Buffer.byteLength(formatEmailAddress(address)) > MAX_OCTETS) throw refuse(`is longer than ${MAX_OCTETS} octets`);
  return address;
}

/** As SMTP wants it, the local part quoted where it must be. */
export function formatEmailAddress({ local, domain }: EmailAddress): string {
  return `${quotedLocal(local)}@${domain}`;
}

function quotedLocal(local: string): string {
  return DOT_STRING.test(local) ? local : `"${local.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

function split(text: string): { local: string; domain: string } | null {
  const { local, domain } = QUOTED.exec(text)?.groups ?? {};
  if (local !== undefined) return { local: local.replaceAll(/\\(.)/gsu, '$1'), domain: domain! };
  const at = text.lastIndexOf('@');
  const bare = text.slice(0, Math.max(at, 0));
  return at === 0 || UNQUOTED.test(bare) ? { local: bare, domain: text.slice(at + 1) } : null;
}

function asciiDomain(domain: string, refuse: (reason: string) => Error): string {
  if (domain === '') throw refuse('has no domain');
  if (domain.startsWith('[')) throw refuse('names a host by its IP address');
  // The URL parser's rules for hosts decode percent signs and more: they must not see such characters.
  const ascii = ASCII_IN_DOMAIN.test(domain) ? domainToASCII(domain) : '';
  const complaint = hostComplaint(ascii, 'domain');
  if (complaint !== null) throw refuse(complaint);
  return ascii;
}
