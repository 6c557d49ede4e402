import { domainToASCII, domainToUnicode } from 'node:url';
import { isEnsip15 } from '../ens-name.js';
import { escapeText, isContinued, isEscape, unescapeText } from './escape.js';
import { isAtom } from './local-part.js';
import { isNameprepStable } from './nameprep.js';

const LDH_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/** Why a host is none that mail or Matrix could reach by DNS; goes on from "it". Null if nothing is wrong. */
export function hostComplaint(host: string, what: string): string | null {
  const labels = host.split('.');
  if (!labels.every((label) => LDH_LABEL.test(label))) return `has a ${what} that breaks the rules for host names`;
  return /^\d+$/.test(labels.at(-1)!) ? 'names a host by its IP address' : null;
}

/** A host name of A-labels as labels, those of IDNs readable where old and new clients keep them. */
export function hostLabels(host: string): string[] {
  return host.split('.').flatMap(labelsOfOne);
}

/** The host in A-labels, null for a broken escape. Lenient: whether the spelling is canonical is for the caller. */
export function readHostLabels(labels: readonly string[]): string | null {
  const read = runsOf(labels).map((run) => (isEscape(run[0]!) ? unescapeText(run) : run[0]!));
  return read.includes(null) ? null : read.map((label) => toALabel(label!)).join('.');
}

function labelsOfOne(label: string): string[] {
  if (isAtom(label)) return [label];
  const unicode = domainToUnicode(label);
  return unicode !== label && isStable(unicode) && domainToASCII(unicode) === label ? [unicode] : escapeText(label);
}

function isStable(label: string): boolean {
  const fits = Buffer.byteLength(label) <= 63 && !/^-|--|-$/.test(label);
  return fits && isEnsip15(label) && isNameprepStable(label);
}

/** Label by label: in one go, a label whose punycode is broken would make the whole domain invalid. */
function toALabel(label: string): string {
  return /^\p{ASCII}*$/u.test(label) ? label : domainToASCII(label);
}

/** One run of labels for each label of the host: an escape may take several. */
function runsOf(labels: readonly string[]): string[][] {
  const runs: string[][] = [];
  for (const label of labels) {
    const last = runs.at(-1);
    if (last && isContinued(last.at(-1)!)) last.push(label);
    else runs.push([label]);
  }
  return runs;
}
