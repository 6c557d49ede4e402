import type { EthAddress } from '../../common/ids.js';

export interface RawKeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

/** Source of randomness: a cryptographically secure one, except in tests. */
export type RandomBytes = (length: number) => Uint8Array;

/**
 * The few primitives dm3 is made of (dm3 MTP: cryptography). Everything above is written against this interface, and
 * both implementations pass the same vectors: `sodium.ts` is the fast one, `noble.ts` the portable one.
 */
export interface CryptoProvider {
  readonly name: 'sodium' | 'noble';
  sha256(data: Uint8Array): Uint8Array;
  keccak256(data: Uint8Array): Uint8Array;

  /** X25519 pair from 32 bytes, as libsodium's `crypto_kx_seed_keypair`: the private key is BLAKE2b-256 of the seed. */
  encryptionKeyPairFromSeed(seed: Uint8Array): RawKeyPair;
  /** Ed25519 pair (RFC 8032) from 32 bytes; the private key has libsodium's form, seed ‖ public key, 64 bytes. */
  signingKeyPairFromSeed(seed: Uint8Array): RawKeyPair;

  /**
   * Key for what the sender writes: the second half of BLAKE2b-512(q ‖ ephemeral ‖ receiver), libsodium's `crypto_kx`
   * with the sender as client.
   * @throws InvalidKeyError
   */
  senderSessionKey(ephemeral: RawKeyPair, receiverPublicKey: Uint8Array): Uint8Array;
  /** The same key on the receiver's side. @throws InvalidKeyError */
  receiverSessionKey(own: RawKeyPair, ephemeralPublicKey: Uint8Array): Uint8Array;

  /** ChaCha20-Poly1305 (RFC 8439): ciphertext ‖ 16-byte tag. */
  chachaSeal(key: Uint8Array, nonce12: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** @throws DecryptionError */
  chachaOpen(key: Uint8Array, nonce12: Uint8Array, sealed: Uint8Array): Uint8Array;

  /**
   * XChaCha20-Poly1305, for what we keep ourselves: its nonce is long enough to be random.
   * @param head in the clear, to stand before the ciphertext: large values are not copied once more for it
   * @returns head ‖ ciphertext ‖ 16-byte tag
   */
  xchachaSeal(
    key: Uint8Array,
    nonce24: Uint8Array,
    plaintext: Uint8Array,
    associatedData: Uint8Array,
    head: Uint8Array,
  ): Uint8Array;
  /** @throws DecryptionError */
  xchachaOpen(key: Uint8Array, nonce24: Uint8Array, sealed: Uint8Array, associatedData: Uint8Array): Uint8Array;

  /** Ed25519, detached, 64 bytes. */
  sign(privateKey64: Uint8Array, data: Uint8Array): Uint8Array;
  /** Never throws: a key or signature of the wrong length is simply not valid. */
  verify(publicKey: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean;

  /** ECDSA on secp256k1 over a 32-byte digest: r ‖ s ‖ v, v being 27 or 28. */
  signEthereum(privateKey32: Uint8Array, digest32: Uint8Array): Uint8Array;
  /** The address whose key made the signature; null if there is none. */
  recoverEthereum(digest32: Uint8Array, signature65: Uint8Array): EthAddress | null;
  ethereumAddress(privateKey32: Uint8Array): EthAddress;
}
