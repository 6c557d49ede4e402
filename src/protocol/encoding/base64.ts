import { MalformedEncodingError } from './errors.js';

/** Standard alphabet with padding (RFC 4648 §4). */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/**
 * Decodes the one canonical form (RFC 4648 §3.5): standard alphabet, padded, no spare bits, no white space, so that no
 * two texts stand for the same bytes.
 * @throws MalformedEncodingError
 */
export function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  // Node's decoder skips what it does not know; encoding again is the cheapest complete check.
  if (bytes.toString('base64') !== text) throw new MalformedEncodingError({ encoding: 'base64' });
  return bytes;
}

/** Length of the text that stands for so many bytes. */
export function base64Length(byteLength: number): number {
  return Math.ceil(byteLength / 3) * 4;
}
