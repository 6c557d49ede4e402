import { isEnsip15 } from '../../naming/ens-name.js';
import { isNameprepStable } from '../../naming/alias/nameprep.js';

const MIN_LETTERS = 3;
/** RFC 1035 §2.3.4. */
const MAX_BYTES = 63;

/** Who speaks for the place itself, or could be taken for it. */
const RESERVED: ReadonlySet<string> = new Set(
  `abuse account accounts addr admin administrator alias api billing bot ccip contact dm3 dns email ens eth gateway help
  helpdesk hostmaster info mail mailer-daemon matrix moderator noreply no-reply official operator postmaster resolver
  root security service settings sms smtp staff status support system team test user wallet webmaster www xmtp`.split(
    /\s+/,
  ),
);

/** What is drawn alike in common fonts, the longer first. */
const ALIKE: readonly (readonly [string, string])[] = [
  ['rn', 'm'],
  ['vv', 'w'],
  ['0', 'o'],
  ['1', 'l'],
];

/**
 * Why nobody gets a label, going on from "the label"; null if somebody may. ENSIP-15 refuses mixed scripts, invisible
 * letters, and labels that look like Latin ones in another script; nameprep is what clients with ethers 5 ask for.
 * @param reserved further ones that the operator keeps
 */
export function objectionTo(label: string, reserved: readonly string[] = []): string | null {
  if ([...label].length < MIN_LETTERS) return `has fewer than ${MIN_LETTERS} letters`;
  if (Buffer.byteLength(label) > MAX_BYTES) return `has more than ${MAX_BYTES} bytes`;
  if (label.includes('.')) return 'has a dot in it';
  if (!isEnsip15(label) || !isNameprepStable(label)) {
    return 'is not in normal form (ENSIP-15): use lower-case letters of one script, digits and hyphens';
  }
  if (/^-|-$|--/.test(label) || label.startsWith('_')) return 'begins or ends with a hyphen, or has two in a row';
  if (RESERVED.has(label) || reserved.includes(label)) return 'is reserved';
  const skeleton = skeletonOf(label);
  if ([...RESERVED, ...reserved].some((each) => skeletonOf(each) === skeleton)) return 'looks like a reserved one';
  return null;
}

/** Equal for labels that a reader takes for one another. */
export function skeletonOf(label: string): string {
  return ALIKE.reduce((text, [shown, meant]) => text.replaceAll(shown, meant), label);
}
