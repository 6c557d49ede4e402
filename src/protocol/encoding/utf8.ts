import { MalformedEncodingError } from './errors.js';

// A byte order mark is content here: dropping it would change what was hashed and signed.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function toUtf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** Longer texts are rare enough to get bytes of their own. */
const scratch = Buffer.allocUnsafeSlow(128 * 1024);
const MAX_BYTES_PER_UNIT = 3;
let isTaken = false;

/**
 * Runs `use` on the UTF-8 bytes of a text, which are gone when it returns: for hashing and encrypting, where bytes of
 * their own would be garbage at once, and much of it makes V8 collect the whole heap again and again.
 */
export function withUtf8<T>(text: string, use: (bytes: Uint8Array) => T): T {
  if (isTaken || text.length * MAX_BYTES_PER_UNIT > scratch.length) return use(toUtf8(text));
  isTaken = true;
  try {
    return use(scratch.subarray(0, scratch.write(text, 'utf8')));
  } finally {
    isTaken = false;
  }
}

/** @throws MalformedEncodingError on any invalid sequence: nothing is replaced. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new MalformedEncodingError({ encoding: 'UTF-8', cause });
  }
}

/** Bytes the text takes as UTF-8. */
export function utf8Length(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
