import { domainToASCII, domainToUnicode } from 'node:url';
import type { ForeignAddress, NetworkId } from '../../common/ids.js';
import { isEnsip15 } from '../ens-name.js';
import { AliasLabelsError, InvalidForeignAddressError, type AliasCodec } from './codec.js';
import { canonicalEmail, formatEmailAddress, parseEmailAddress, type EmailAddress } from './email-address.js';
import { escapeText, isContinued, isEscape, unescapeText } from './escape.js';
import { isNameprepStable } from './nameprep.js';

const SCHEME = 'mailto:';
const AT = '_at';
/** Labels for the two signs that are common in local parts and impossible inside a label. */
const LABEL_OF_SIGN = new Map([
  ['+', '_p'],
  ['_', '_u'],
]);
const SIGN_OF_LABEL = new Map([...LABEL_OF_SIGN].map(([sign, label]) => [label, sign]));

/** Hyphens stand single and inside: ethers 5 refuses others in places. */
const ATOM = /^(?!.*--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MISPLACED_DOT = /^\.|\.$|[.+_]\.|\.[+_]/;

/**
 * `mailto:alice@example.com` <-> `alice._at.example.com`. `+` and `_` become labels of their own; local parts that
 * labels cannot spell become `_x` and base32, and so do IDN labels that old or new clients would change.
 */
export const emailCodec: AliasCodec = { network: 'email' as NetworkId, scheme: SCHEME, canonical, encode, decode };

function canonical(address: string): ForeignAddress {
  const bare = address.slice(0, SCHEME.length).toLowerCase() === SCHEME ? address.slice(SCHEME.length) : address;
  return toForeign(parseEmailAddress(bare));
}

function encode(address: ForeignAddress): readonly string[] {
  const { local, domain } = parseEmailAddress(address.slice(SCHEME.length));
  return [...(readableLocal(local) ?? escapeText(local)), AT, ...domain.split('.').flatMap(domainLabels)];
}

function decode(labels: readonly string[]): ForeignAddress {
  const address = readLabels(labels);
  if (encode(address).join('.') === labels.join('.')) return address;
  throw new AliasLabelsError({ labels, reason: 'is not the canonical spelling', address });
}

function toForeign(address: EmailAddress): ForeignAddress {
  return (SCHEME + formatEmailAddress(address)) as ForeignAddress;
}

function readableLocal(local: string): string[] | null {
  if (MISPLACED_DOT.test(local)) return null;
  const parts = local.match(/[+_]|[^.+_]+/g)!;
  return parts.every((part) => LABEL_OF_SIGN.has(part) || ATOM.test(part))
    ? parts.map((part) => LABEL_OF_SIGN.get(part) ?? part)
    : null;
}

function domainLabels(label: string): string[] {
  if (ATOM.test(label)) return [label];
  const unicode = domainToUnicode(label);
  return unicode !== label && isStable(unicode) && domainToASCII(unicode) === label ? [unicode] : escapeText(label);
}

function isStable(label: string): boolean {
  const fits = Buffer.byteLength(label) <= 63 && !/^-|--|-$/.test(label);
  return fits && isEnsip15(label) && isNameprepStable(label);
}

/** Reads leniently: whether the spelling is the canonical one is for the caller to compare. */
function readLabels(labels: readonly string[]): ForeignAddress {
  const at = labels.indexOf(AT);
  if (at < 0) throw new AliasLabelsError({ labels, reason: `has no "${AT}"` });
  const local = readLocal(labels.slice(0, at));
  const domain = readDomain(labels.slice(at + 1));
  if (local === null || domain === null) throw new AliasLabelsError({ labels, reason: 'holds a broken escape' });
  try {
    return toForeign(canonicalEmail(local, domain));
  } catch (cause) {
    if (!(cause instanceof InvalidForeignAddressError)) throw cause;
    throw new AliasLabelsError({ labels, reason: 'stands for an address that cannot be', cause });
  }
}

function readLocal(labels: readonly string[]): string | null {
  if (labels.some(isEscape)) return unescapeText(labels);
  return labels.reduce((text, label) => {
    const sign = SIGN_OF_LABEL.get(label);
    const joint = sign || text === '' || /[+_]$/.test(text) ? '' : '.';
    return text + joint + (sign ?? label);
  }, '');
}

function readDomain(labels: readonly string[]): string | null {
  const read = runsOf(labels).map((run) => (isEscape(run[0]!) ? unescapeText(run) : run[0]!));
  return read.includes(null) ? null : read.map((label) => toALabel(label!)).join('.');
}

/** Label by label: in one go, a label whose punycode is broken would make the whole domain invalid. */
function toALabel(label: string): string {
  return /^\p{ASCII}*$/u.test(label) ? label : domainToASCII(label);
}

/** One run of labels for each label of the domain: an escape may take several. */
function runsOf(labels: readonly string[]): string[][] {
  const runs: string[][] = [];
  for (const label of labels) {
    const last = runs.at(-1);
    if (last && isContinued(last.at(-1)!)) last.push(label);
    else runs.push([label]);
  }
  return runs;
}
