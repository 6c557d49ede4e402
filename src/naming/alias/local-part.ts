import { escapeText, isEscape, unescapeText } from './escape.js';

/** Labels for the two signs that are common in local parts and impossible inside a label. */
const LABEL_OF_SIGN = new Map([
  ['+', '_p'],
  ['_', '_u'],
]);
const SIGN_OF_LABEL = new Map([...LABEL_OF_SIGN].map(([sign, label]) => [label, sign]));

/** Hyphens stand single and inside: ethers 5 refuses others in places. */
const ATOM = /^(?!.*--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MISPLACED_DOT = /^\.|\.$|[.+_]\.|\.[+_]/;

/** A label that everybody can read and that every client keeps. */
export function isAtom(label: string): boolean {
  return ATOM.test(label);
}

/**
 * What stands before a domain or server, as labels: `a.b+t_1` -> `a`, `b`, `_p`, `t`, `_u`, `1`. What labels cannot
 * spell is escaped as a whole.
 * @param local not empty
 */
export function localLabels(local: string): string[] {
  return readable(local) ?? escapeText(local);
}

/** Reads leniently: whether the spelling is the canonical one is for the caller to compare. Null: a broken escape. */
export function readLocalLabels(labels: readonly string[]): string | null {
  if (labels.some(isEscape)) return unescapeText(labels);
  return labels.reduce((text, label) => {
    const sign = SIGN_OF_LABEL.get(label);
    const joint = sign || text === '' || /[+_]$/.test(text) ? '' : '.';
    return text + joint + (sign ?? label);
  }, '');
}

function readable(local: string): string[] | null {
  if (MISPLACED_DOT.test(local)) return null;
  const parts = local.match(/[+_]|[^.+_]+/g)!;
  return parts.every((part) => LABEL_OF_SIGN.has(part) || isAtom(part))
    ? parts.map((part) => LABEL_OF_SIGN.get(part) ?? part)
    : null;
}
