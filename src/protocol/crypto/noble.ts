import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { DecryptionError, InvalidKeyError } from './errors.js';
import type { CryptoProvider } from './provider.js';
import { ethereumPart } from './secp256k1.js';

/** `crypto_kx`, the direction client to server: bytes 32 to 64 of BLAKE2b-512(q ‖ client ‖ server). */
function sessionKey(shared: Uint8Array, clientPublicKey: Uint8Array, serverPublicKey: Uint8Array): Uint8Array {
  return blake2b(concatBytes(shared, clientPublicKey, serverPublicKey), { dkLen: 64 }).subarray(32);
}

function sharedSecret(privateKey: Uint8Array, theirs: Uint8Array): Uint8Array {
  try {
    return x25519.getSharedSecret(privateKey, theirs);
  } catch (cause) {
    throw new InvalidKeyError({ reason: 'the key exchange fails with it', cause });
  }
}

function opened(open: () => Uint8Array): Uint8Array {
  try {
    return open();
  } catch (cause) {
    throw new DecryptionError({ cause });
  }
}

/** The portable twin of the sodium provider: plain JavaScript, about twenty times slower. */
export function createNobleProvider(): CryptoProvider {
  return {
    name: 'noble',
    sha256: (data) => sha256(data),
    keccak256: (data) => keccak_256(data),

    encryptionKeyPairFromSeed(seed) {
      const privateKey = blake2b(seed, { dkLen: 32 });
      return { privateKey, publicKey: x25519.getPublicKey(privateKey) };
    },

    signingKeyPairFromSeed(seed) {
      const publicKey = ed25519.getPublicKey(seed);
      return { publicKey, privateKey: concatBytes(seed, publicKey) };
    },

    senderSessionKey: (ephemeral, receiverPublicKey) =>
      sessionKey(sharedSecret(ephemeral.privateKey, receiverPublicKey), ephemeral.publicKey, receiverPublicKey),
    receiverSessionKey: (own, ephemeralPublicKey) =>
      sessionKey(sharedSecret(own.privateKey, ephemeralPublicKey), ephemeralPublicKey, own.publicKey),

    chachaSeal: (key, nonce12, plaintext) => chacha20poly1305(key, nonce12).encrypt(plaintext),
    chachaOpen: (key, nonce12, sealed) => opened(() => chacha20poly1305(key, nonce12).decrypt(sealed)),
    xchachaSeal: (key, nonce24, plaintext, associatedData, head) =>
      concatBytes(head, xchacha20poly1305(key, nonce24, associatedData).encrypt(plaintext)),
    xchachaOpen: (key, nonce24, sealed, associatedData) =>
      opened(() => xchacha20poly1305(key, nonce24, associatedData).decrypt(sealed)),

    sign: (privateKey64, data) => ed25519.sign(data, privateKey64.subarray(0, 32)),
    verify(publicKey, data, signature) {
      try {
        // RFC 8032 as libsodium reads it, not the laxer ZIP 215: both providers must agree on every signature.
        return ed25519.verify(signature, data, publicKey, { zip215: false });
      } catch {
        return false;
      }
    },

    ...ethereumPart(keccak_256),
  };
}
