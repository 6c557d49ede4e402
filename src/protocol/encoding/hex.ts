import type { Hash } from '../../common/ids.js';
import { MalformedEncodingError } from './errors.js';

const HEX = /^0x(?:[0-9a-f]{2})*$/i;
const HASH = /^(?:0x)?([0-9a-f]{64})$/i;

/** `0x` and lower-case digits. */
export function toHex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
}

/**
 * @param text `0x` and an even number of digits in any case.
 * @throws MalformedEncodingError
 */
export function fromHex(text: string): Uint8Array {
  if (!HEX.test(text)) throw new MalformedEncodingError({ encoding: 'hex' });
  return Buffer.from(text.slice(2), 'hex');
}

/** A 32-byte hash from text, with or without `0x`, in any case. Returns null if it is none. */
export function parseHash(text: string): Hash | null {
  const digits = HASH.exec(text)?.[1];
  return digits === undefined ? null : (`0x${digits.toLowerCase()}` as Hash);
}
