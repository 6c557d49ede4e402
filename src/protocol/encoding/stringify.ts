import { stringify as stableStringify } from 'safe-stable-stringify';
import type { Hash } from '../../common/ids.js';
import type { CryptoProvider } from '../crypto/provider.js';
import { UnserialisableError } from './errors.js';
import { toHex } from './hex.js';
import { utf8Length, withUtf8 } from './utf8.js';

/**
 * The text dm3 hashes and signs: JSON without spaces, members sorted by UTF-16 code unit at every level, `undefined`
 * members dropped. A string becomes a quoted JSON string. (dm3 MTP: "stringify" is safe-stable-stringify's default.)
 * @throws UnserialisableError if the value is nested too deeply.
 */
export function stringify(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value); // the same, and faster
  try {
    return stableStringify(value) ?? 'null';
  } catch (cause) {
    throw new UnserialisableError({ cause });
  }
}

/** UTF-8 bytes of what `stringify` makes of a value that came out of JSON. @throws UnserialisableError */
export function stringifiedLength(value: unknown): number {
  try {
    return utf8Length(JSON.stringify(value)); // members in another order take no more room
  } catch (cause) {
    throw new UnserialisableError({ cause });
  }
}

/** SHA-256 over the UTF-8 bytes of a text. */
export function sha256Text(crypto: CryptoProvider, text: string): Hash {
  return toHex(withUtf8(text, (bytes) => crypto.sha256(bytes))) as Hash;
}
