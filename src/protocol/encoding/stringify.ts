import { stringify as stableStringify } from 'safe-stable-stringify';
import type { Hash } from '../../common/ids.js';
import type { CryptoProvider } from '../crypto/provider.js';
import { UnserialisableError } from './errors.js';
import { toHex } from './hex.js';
import { toUtf8 } from './utf8.js';

/**
 * The text dm3 hashes and signs: JSON without spaces, members sorted by UTF-16 code unit at every level, `undefined`
 * members dropped. A string becomes a quoted JSON string. (dm3 MTP: "stringify" is safe-stable-stringify's default.)
 * @throws UnserialisableError if the value is nested too deeply.
 */
export function stringify(value: unknown): string {
  try {
    return stableStringify(value) ?? 'null';
  } catch (cause) {
    throw new UnserialisableError({ cause });
  }
}

/** SHA-256 over the UTF-8 bytes of a text. */
export function sha256Text(crypto: CryptoProvider, text: string): Hash {
  return toHex(crypto.sha256(toUtf8(text))) as Hash;
}
