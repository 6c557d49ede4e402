import { fromBase64, toBase64 } from '../encoding/base64.js';
import { sha256Text } from '../encoding/stringify.js';
import { toUtf8 } from '../encoding/utf8.js';
import type { CryptoProvider } from './provider.js';
import { isSecp256k1Key, verifySecp256k1 } from './secp256k1.js';

/**
 * Ed25519 over the UTF-8 bytes of a text, as base64 (dm3 MTP: signatures).
 * @param privateKey 64 bytes, seed ‖ public key.
 */
export function signText(crypto: CryptoProvider, privateKey: Uint8Array, text: string): string {
  return toBase64(crypto.sign(privateKey, toUtf8(text)));
}

/** Checks what `signText` made. Never throws. */
export function verifyText(crypto: CryptoProvider, publicKey: Uint8Array, text: string, signature: string): boolean {
  const bytes = decodeSignature(signature);
  return bytes !== null && crypto.verify(publicKey, toUtf8(text), bytes);
}

/**
 * Checks the signature of a message or of an envelope's metadata. Clients sign the text; the specification says its
 * hash (taken as 0x-hex text, as postmarks do) and ECDSA, so a hash is accepted too, and a secp256k1 key if the profile
 * has one. Never throws.
 * @param publicKey 32 bytes Ed25519, or 33 or 65 bytes secp256k1.
 */
export function verifyTextOrHash(
  crypto: CryptoProvider,
  publicKey: Uint8Array,
  text: string,
  signature: string,
): boolean {
  const bytes = decodeSignature(signature);
  if (bytes === null) return false;
  if (isSecp256k1Key(publicKey)) return verifySecp256k1(publicKey, crypto.sha256(toUtf8(text)), bytes);
  return (
    crypto.verify(publicKey, toUtf8(text), bytes) || crypto.verify(publicKey, toUtf8(sha256Text(crypto, text)), bytes)
  );
}

function decodeSignature(text: string): Uint8Array | null {
  try {
    return fromBase64(text);
  } catch {
    return null;
  }
}
