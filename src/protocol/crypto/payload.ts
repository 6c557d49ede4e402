import { z } from 'zod';
import { GatewayError } from '../../common/errors.js';
import { base64Length, fromBase64, toBase64 } from '../encoding/base64.js';
import { fromHex, toHex } from '../encoding/hex.js';
import { parseShape } from '../encoding/json.js';
import { fromUtf8 } from '../encoding/utf8.js';
import { DecryptionError } from './errors.js';
import { PADDING_BLOCK, paddedLength, padText, unpad } from './padding.js';
import type { CryptoProvider, RandomBytes, RawKeyPair } from './provider.js';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

const symmetricSchema = z.object({ ciphertext: z.string(), nonce: z.string() });
const asymmetricSchema = symmetricSchema.extend({ ephemPublicKey: z.string() });

// The wires below are what `stringify` gives for the object: members in order, values that need no escape.
const asymmetricWire = (ciphertext: string, ephemPublicKey: string, nonce: string): string =>
  `{"ciphertext":"${ciphertext}","ephemPublicKey":"${ephemPublicKey}","nonce":"${nonce}"}`;
const symmetricWire = (ciphertext: string, nonce: string): string =>
  `{"ciphertext":"${ciphertext}","nonce":"${nonce}"}`;

const ASYMMETRIC_FRAME = asymmetricWire('', '', '').length + base64Length(KEY_BYTES) + 2 + 2 * NONCE_BYTES;

/**
 * Encrypts a text for the holder of an X25519 key (dm3 MTP: `encryptAsymmetric`), under a fresh ephemeral key.
 * @returns the stringified `{ciphertext, ephemPublicKey, nonce}`, as it is embedded in messages and envelopes.
 * @throws InvalidKeyError if nothing can be encrypted for this key.
 */
export function encryptText(
  crypto: CryptoProvider,
  receiverPublicKey: Uint8Array,
  text: string,
  random: RandomBytes,
): string {
  const ephemeral = crypto.encryptionKeyPairFromSeed(random(KEY_BYTES));
  const key = crypto.senderSessionKey(ephemeral, receiverPublicKey);
  const nonce = random(NONCE_BYTES);
  const sealed = crypto.chachaSeal(key, nonce, padText(text));
  return asymmetricWire(toBase64(sealed), toBase64(ephemeral.publicKey), toHex(nonce));
}

/**
 * Opens what `encryptText` made.
 * @throws DecryptionError for anything wrong with it, from the JSON down to the UTF-8.
 */
export function decryptText(crypto: CryptoProvider, own: RawKeyPair, wire: string): string {
  return orDecryptionError(() => {
    const payload = parseShape(asymmetricSchema, wire, () => new DecryptionError());
    const key = crypto.receiverSessionKey(own, fromBase64(payload.ephemPublicKey));
    return open(crypto, key, payload, PADDING_BLOCK);
  });
}

/**
 * Encrypts a text under a key both sides have (dm3 MTP: storage). Field encryption there uses block size 1.
 * @param nonce 12 bytes, never used twice with one key.
 * @returns the stringified `{ciphertext, nonce}`.
 */
export function sealText(
  crypto: CryptoProvider,
  key: Uint8Array,
  nonce: Uint8Array,
  text: string,
  blockSize = PADDING_BLOCK,
): string {
  return symmetricWire(toBase64(crypto.chachaSeal(key, nonce, padText(text, blockSize))), toHex(nonce));
}

/** Opens what `sealText` made with the same block size. @throws DecryptionError */
export function openText(crypto: CryptoProvider, key: Uint8Array, wire: string, blockSize = PADDING_BLOCK): string {
  return orDecryptionError(() => {
    const payload = parseShape(symmetricSchema, wire, () => new DecryptionError());
    return open(crypto, key, payload, blockSize);
  });
}

/** Exact length in bytes of what `encryptText` makes of a text of so many UTF-8 bytes. */
export function payloadLength(textBytes: number): number {
  return ASYMMETRIC_FRAME + base64Length(paddedLength(textBytes) + TAG_BYTES);
}

function open(
  crypto: CryptoProvider,
  key: Uint8Array,
  { ciphertext, nonce }: z.infer<typeof symmetricSchema>,
  blockSize: number,
): string {
  return fromUtf8(unpad(crypto.chachaOpen(key, fromHex(nonce), fromBase64(ciphertext)), blockSize));
}

/** Whoever tampers with a payload learns only that it does not open. */
function orDecryptionError(work: () => string): string {
  try {
    return work();
  } catch (error) {
    if (error instanceof GatewayError && !(error instanceof DecryptionError)) {
      throw new DecryptionError({ cause: error });
    }
    throw error;
  }
}
