import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Bounce addresses that name the message they are about (VERP): `b+<base32(id, day, tag)>@<domain>`. A local part has
 * 64 octets at most (RFC 5321 §4.5.3.1.1) and a message id has 32 bytes, which leaves one byte for the day and five for
 * the tag. That is enough: only those who saw the mail know its id.
 */
const ID_BYTES = 32;
const TAG_BYTES = 5;
const VALID_DAYS = 10;
const DAY_MS = 86_400_000;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/**
 * @param id 64 hex digits
 * @param at milliseconds since the epoch; the address is good for ten days from then
 */
export function bounceAddress(secret: Uint8Array, options: { id: string; domain: string; at: number }): string {
  const { id, domain, at } = options;
  const head = Buffer.concat([Buffer.from(id, 'hex'), Buffer.of(dayOf(at))]);
  return `b+${base32(Buffer.concat([head, tagOf(secret, head, domain)]))}@${domain}`;
}

/** The message's id (64 hex digits); null if we did not make the token, or too long ago. */
export function readBounceToken(
  secret: Uint8Array,
  options: { token: string; domain: string; at: number },
): string | null {
  const bytes = fromBase32(options.token);
  if (bytes?.length !== ID_BYTES + 1 + TAG_BYTES) return null;
  const head = bytes.subarray(0, ID_BYTES + 1);
  if (!timingSafeEqual(tagOf(secret, head, options.domain), bytes.subarray(ID_BYTES + 1))) return null;
  // One day of grace for authors whose clock runs ahead.
  const age = (dayOf(options.at) - head[ID_BYTES]! + 1 + 256) % 256;
  return age <= VALID_DAYS + 1 ? head.subarray(0, ID_BYTES).toString('hex') : null;
}

function dayOf(at: number): number {
  return Math.floor(at / DAY_MS) % 256;
}

function tagOf(secret: Uint8Array, head: Uint8Array, domain: string): Buffer {
  return createHmac('sha256', secret).update('bounce\0').update(head).update(domain).digest().subarray(0, TAG_BYTES);
}

/** RFC 4648 §6, lower-case, without padding: mail servers may fold case. */
function base32(bytes: Uint8Array): string {
  let bits = 0;
  let value = 0;
  let text = '';
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(value >> (bits - 5)) & 31];
  }
  return bits === 0 ? text : text + ALPHABET[(value << (5 - bits)) & 31];
}

/** Null for anything `base32` would not have written, but for its case. */
function fromBase32(text: string): Buffer | null {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const letter of text.toLowerCase()) {
    const digit = ALPHABET.indexOf(letter);
    if (digit < 0) return null;
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) bytes.push((value >> (bits -= 8)) & 0xff);
  }
  const result = Buffer.from(bytes);
  return base32(result) === text.toLowerCase() ? result : null;
}
