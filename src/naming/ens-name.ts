import { ens_normalize } from '@adraffy/ens-normalize';
import { GatewayError } from '../common/errors.js';
import { parseEthAddress, type EnsName, type EthAddress } from '../common/ids.js';
import { INVISIBLE } from './invisible.js';

/** RFC 1035 §3.1: what a whole name may take in DNS wire form, in which ENSIP-10 resolvers are asked. */
export const MAX_NAME_BYTES = 255;

/** Labels that ENSIP-15 leaves as they are. For all others it reads its tables of Unicode, which fill 20 MB. */
const PLAIN_NAME = /^_*[a-z0-9]+(-[a-z0-9]+)*(\._*[a-z0-9]+(-[a-z0-9]+)*)*$/;

/** A label of letters, marks, digits, hyphens and underscores: the least that people could have registered. */
const PLAUSIBLE_LABEL = /^[\p{L}\p{M}\p{N}_-]+$/u;
const EACH_INVISIBLE = new RegExp(INVISIBLE, 'gu');

export class InvalidNameError extends GatewayError {
  /** @param reason goes on from "it": `is empty`. */
  constructor({ name, reason, cause }: { name: string; reason: string; cause?: unknown }) {
    super({
      code: 'INVALID_NAME',
      kind: 'invalid-input',
      message: `${quoted(name)} is not an ENS name: it ${reason}.`,
      cause,
    });
  }
}

/** Text that came from outside, on one line and cut, nothing in it invisible: fit for the sentence of an error. */
export function quoted(text: string): string {
  return visible(JSON.stringify(text.length > 100 ? `${text.slice(0, 99)}…` : text));
}

/** Spellings met last, since the same few names come again and again and a look at the tables of Unicode is slow. */
const known = new Map<string, EnsName>();
const KNOWN_NAMES = 5_000;

/**
 * The one spelling under which a name is compared and stored: ENSIP-15. dm3 clients normalise with nameprep, which
 * takes names that ENSIP-15 refuses (`a_b.eth`, mixed scripts): those are lower-cased, if they look like names at all,
 * so that their owners stay reachable (dm3 MTP: names).
 * @throws InvalidNameError
 */
export function normaliseName(text: string): EnsName {
  const before = known.get(text);
  if (before !== undefined) return before;
  checkSize(text, text);
  const name = PLAIN_NAME.test(text) ? (text as EnsName) : ensip15OrLowerCase(text);
  checkSize(name, text);
  if (known.size >= KNOWN_NAMES) known.delete(known.keys().next().value!);
  known.set(text, name);
  return name;
}

/** Like `normaliseName`, null for what is not a name. */
export function tryNormaliseName(text: string): EnsName | null {
  try {
    return normaliseName(text);
  } catch (error) {
    if (error instanceof InvalidNameError) return null;
    throw error;
  }
}

/** True if ENSIP-15 takes a label or name and leaves it as it is. */
export function isEnsip15(text: string): boolean {
  if (PLAIN_NAME.test(text)) return true;
  try {
    return ens_normalize(text) === text;
  } catch {
    return false;
  }
}

export function labelsOf(name: EnsName): readonly string[] {
  return name.split('.');
}

/** Bytes of a name in DNS wire form (RFC 1035 §3.1): a length byte before each label, and the root's zero byte. */
export function dnsEncodedLength(name: string): number {
  return Buffer.byteLength(name) + 2;
}

/** `0x….addr.<suffix>`: how dm3 clients name an account whose address is all they know (dm3 MTP: subdomains). */
export function addressNameOf(address: EthAddress, suffix: EnsName): EnsName {
  return `${address}.addr.${suffix}` as EnsName;
}

/** The address in `0x….addr.<anything>`, null for other names. Whose subdomain it is does not matter. */
export function parseAddressName(name: EnsName): EthAddress | null {
  const [first, second, ...suffix] = labelsOf(name);
  return second === 'addr' && suffix.length > 0 ? parseEthAddress(first!) : null;
}

function checkSize(name: string, text: string): void {
  if (name === '') throw new InvalidNameError({ name: text, reason: 'is empty' });
  if (dnsEncodedLength(name) > MAX_NAME_BYTES) {
    throw new InvalidNameError({ name: text, reason: `takes more than ${MAX_NAME_BYTES} bytes in DNS form` });
  }
}

function ensip15OrLowerCase(text: string): EnsName {
  try {
    return ens_normalize(text) as EnsName;
  } catch (cause) {
    const lower = text.toLowerCase();
    if (isPlausible(lower)) return lower as EnsName;
    throw new InvalidNameError({ name: text, reason: `breaks ENSIP-15 (${complaintOf(cause)})`, cause });
  }
}

function isPlausible(name: string): boolean {
  const labels = name.split('.');
  return labels.length > 1 && labels.every((label) => PLAUSIBLE_LABEL.test(label)) && !INVISIBLE.test(name);
}

/** The library wraps what it quotes in direction marks, which do not belong into a protocol's answer. */
function complaintOf(error: unknown): string {
  return visible(error instanceof Error ? error.message.replaceAll('\u200e', '') : String(error));
}

function visible(text: string): string {
  return text.replaceAll(EACH_INVISIBLE, (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`);
}
