const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const DIGIT_BITS = 5;
const BYTE_BITS = 8;

/** RFC 4648 §6 in lower case and without padding. */
export function encodeBase32(bytes: Uint8Array): string {
  return Array.from(regroup(bytes, BYTE_BITS, DIGIT_BITS, { keepRest: true }), (digit) => ALPHABET[digit]).join('');
}

/** The bytes of exactly what `encodeBase32` writes; null for every other spelling. */
export function decodeBase32(text: string): Uint8Array | null {
  const digits = Array.from(text, (digit) => ALPHABET.indexOf(digit));
  if (digits.includes(-1)) return null;
  const bytes = Uint8Array.from(regroup(digits, DIGIT_BITS, BYTE_BITS, { keepRest: false }));
  return encodeBase32(bytes) === text ? bytes : null;
}

/** The same bits in groups of another size; `keepRest` fills the last one up with zeros. */
function regroup(groups: Iterable<number>, from: number, to: number, { keepRest }: { keepRest: boolean }): number[] {
  const regrouped: number[] = [];
  let held = 0;
  let bits = 0;
  for (const group of groups) {
    held = ((held << from) | group) & 0xffff;
    for (bits += from; bits >= to; bits -= to) regrouped.push((held >> (bits - to)) & (2 ** to - 1));
  }
  if (keepRest && bits > 0) regrouped.push((held << (to - bits)) & (2 ** to - 1));
  return regrouped;
}
