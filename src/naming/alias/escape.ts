import { decodeBase32, encodeBase32 } from './base32.js';

const MARK = '_x';

/**
 * No text of up to 70 bytes has a base32 form of 57 digits or twice that, so a full label always goes on in the next
 * one and the end of an escape needs no sign of its own.
 */
const DIGITS_PER_LABEL = 57;

/** Labels that stand for a text which labels cannot spell: `_x` and base32 of its UTF-8 bytes, cut to fit. */
export function escapeText(text: string): string[] {
  const digits = encodeBase32(Buffer.from(text));
  const cuts = digits.match(new RegExp(`.{1,${DIGITS_PER_LABEL}}`, 'g')) ?? [''];
  return cuts.map((cut) => MARK + cut);
}

/** The text behind all of these labels together, null if they are not the escape of any. */
export function unescapeText(labels: readonly string[]): string | null {
  if (!labels.every(isEscape)) return null;
  const bytes = decodeBase32(labels.map((label) => label.slice(MARK.length)).join(''));
  return bytes && utf8(bytes);
}

export function isEscape(label: string): boolean {
  return label.startsWith(MARK);
}

/** True if the escaped text goes on in the next label. */
export function isContinued(label: string): boolean {
  return isEscape(label) && label.length === MARK.length + DIGITS_PER_LABEL;
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
