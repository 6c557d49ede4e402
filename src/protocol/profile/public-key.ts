import { isSecp256k1Key } from '../crypto/secp256k1.js';
import { fromBase64 } from '../encoding/base64.js';
import { MalformedProfileError } from './errors.js';

const KEY_BYTES = 32;

/** The public keys of a profile, decoded. */
export interface PublicKeys {
  /** X25519, 32 bytes. */
  readonly encryption: Uint8Array;
  /** Ed25519, 32 bytes; or secp256k1 of 33 or 65 bytes, as the specification has it. */
  readonly signing: Uint8Array;
}

/** @throws MalformedProfileError */
export function decodeKeys(profile: { publicEncryptionKey: string; publicSigningKey: string }): PublicKeys {
  const encryption = decode('publicEncryptionKey', profile.publicEncryptionKey);
  const signing = decode('publicSigningKey', profile.publicSigningKey);
  if (encryption.length !== KEY_BYTES) throw wrongLength('publicEncryptionKey');
  if (signing.length !== KEY_BYTES && !isSecp256k1Key(signing)) throw wrongLength('publicSigningKey');
  return { encryption, signing };
}

function decode(member: string, text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch (cause) {
    throw new MalformedProfileError({ reason: `${member}: it is not base64`, cause });
  }
}

function wrongLength(member: string): MalformedProfileError {
  return new MalformedProfileError({ reason: `${member}: a key of this length does not exist` });
}
