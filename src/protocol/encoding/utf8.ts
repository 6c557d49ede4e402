import { MalformedEncodingError } from './errors.js';

// A byte order mark is content here: dropping it would change what was hashed and signed.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function toUtf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
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
