const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** RFC 4648 §6 in lower case and without padding. */
export function encodeBase32(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  const quintets = bits.match(/.{1,5}/g) ?? [];
  return quintets.map((quintet) => ALPHABET[Number.parseInt(quintet.padEnd(5, '0'), 2)]).join('');
}

/** The bytes of exactly what `encodeBase32` writes; null for every other spelling. */
export function decodeBase32(text: string): Uint8Array | null {
  const digits = Array.from(text, (digit) => ALPHABET.indexOf(digit));
  if (digits.includes(-1)) return null;
  const bits = digits.map((digit) => digit.toString(2).padStart(5, '0')).join('');
  const bytes = Uint8Array.from(bits.match(/.{8}/g) ?? [], (octet) => Number.parseInt(octet, 2));
  return encodeBase32(bytes) === text ? bytes : null;
}
