import { hash } from 'node:crypto';
import { createKeccak } from 'hash-wasm';
import sodium from 'sodium-native';
import { DecryptionError, InvalidKeyError } from './errors.js';
import type { CryptoProvider, RawKeyPair } from './provider.js';
import { ethereumPart } from './secp256k1.js';

const TAG_BYTES = 16;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

const primitives = {
  name: 'sodium',

  /** By OpenSSL, which uses the processor's instructions for it. */
  sha256: (data) => hash('sha256', data, 'buffer'),

  encryptionKeyPairFromSeed(seed) {
    const pair = { publicKey: new Uint8Array(KEY_BYTES), privateKey: new Uint8Array(KEY_BYTES) };
    sodium.crypto_kx_seed_keypair(pair.publicKey, pair.privateKey, seed);
    return pair;
  },

  signingKeyPairFromSeed(seed) {
    const pair = { publicKey: new Uint8Array(KEY_BYTES), privateKey: new Uint8Array(64) };
    sodium.crypto_sign_seed_keypair(pair.publicKey, pair.privateKey, seed);
    return pair;
  },

  senderSessionKey: (ephemeral, receiverPublicKey) =>
    sessionKey(receiverPublicKey, (key) => {
      const { publicKey, privateKey } = ephemeral;
      sodium.crypto_kx_client_session_keys(null, key, publicKey, privateKey, receiverPublicKey);
    }),

  receiverSessionKey: (own, ephemeralPublicKey) =>
    sessionKey(ephemeralPublicKey, (key) => {
      sodium.crypto_kx_server_session_keys(key, null, own.publicKey, own.privateKey, ephemeralPublicKey);
    }),

  chachaSeal(key, nonce12, plaintext) {
    const sealed = Buffer.allocUnsafe(plaintext.length + TAG_BYTES);
    sodium.crypto_aead_chacha20poly1305_ietf_encrypt(sealed, plaintext, null, null, nonce12, key);
    return sealed;
  },

  chachaOpen: (key, nonce12, sealed) =>
    opened(sealed, (plaintext) => {
      sodium.crypto_aead_chacha20poly1305_ietf_decrypt(plaintext, null, sealed, null, nonce12, key);
    }),

  xchachaSeal(key, nonce24, plaintext, associatedData, head) {
    const all = Buffer.allocUnsafe(head.length + plaintext.length + TAG_BYTES);
    all.set(head);
    const sealed = all.subarray(head.length);
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, plaintext, associatedData, null, nonce24, key);
    return all;
  },

  xchachaOpen: (key, nonce24, sealed, associatedData) =>
    opened(sealed, (plaintext) => {
      sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plaintext, null, sealed, associatedData, nonce24, key);
    }),

  sign(privateKey64, data) {
    const signature = new Uint8Array(SIGNATURE_BYTES);
    sodium.crypto_sign_detached(signature, data, privateKey64);
    return signature;
  },

  verify(publicKey, data, signature) {
    if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
    return sodium.crypto_sign_verify_detached(signature, data, publicKey);
  },
} satisfies Omit<CryptoProvider, 'keccak256' | keyof ReturnType<typeof ethereumPart>>;

/** Runs a key exchange into a fresh key. libsodium refuses points of low order by itself. */
function sessionKey(theirs: RawKeyPair['publicKey'], exchange: (key: Uint8Array) => void): Uint8Array {
  if (theirs.length !== KEY_BYTES) throw new InvalidKeyError({ reason: 'it must have 32 bytes' });
  const key = new Uint8Array(KEY_BYTES);
  try {
    exchange(key);
  } catch (cause) {
    throw new InvalidKeyError({ reason: 'the key exchange fails with it', cause });
  }
  return key;
}

function opened(sealed: Uint8Array, open: (plaintext: Uint8Array) => void): Uint8Array {
  if (sealed.length < TAG_BYTES) throw new DecryptionError();
  const plaintext = Buffer.allocUnsafe(sealed.length - TAG_BYTES);
  try {
    open(plaintext);
  } catch (cause) {
    throw new DecryptionError({ cause });
  }
  return plaintext;
}

/** libsodium (native) for the hot path, WebAssembly for Keccak, which libsodium lacks. */
export async function createSodiumProvider(): Promise<CryptoProvider> {
  const hasher = await createKeccak(256);
  const keccak256 = (data: Uint8Array): Uint8Array => hasher.init().update(data).digest('binary');
  return { ...primitives, keccak256, ...ethereumPart(keccak256) };
}
