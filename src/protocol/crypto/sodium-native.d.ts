// The part of sodium-native we call; the package brings no types. A `null` output is not computed.
declare module 'sodium-native' {
  type Bytes = Uint8Array;
  const sodium: {
    crypto_hash_sha256(out: Bytes, data: Bytes): void;
    crypto_kx_seed_keypair(publicKey: Bytes, privateKey: Bytes, seed: Bytes): void;
    crypto_kx_client_session_keys(rx: null, tx: Bytes, publicKey: Bytes, privateKey: Bytes, server: Bytes): void;
    crypto_kx_server_session_keys(rx: Bytes, tx: null, publicKey: Bytes, privateKey: Bytes, client: Bytes): void;
    crypto_sign_seed_keypair(publicKey: Bytes, privateKey: Bytes, seed: Bytes): void;
    crypto_sign_detached(signature: Bytes, data: Bytes, privateKey: Bytes): void;
    crypto_sign_verify_detached(signature: Bytes, data: Bytes, publicKey: Bytes): boolean;
    crypto_aead_chacha20poly1305_ietf_encrypt(
      out: Bytes,
      plaintext: Bytes,
      associatedData: null,
      secretNonce: null,
      nonce: Bytes,
      key: Bytes,
    ): number;
    crypto_aead_chacha20poly1305_ietf_decrypt(
      out: Bytes,
      secretNonce: null,
      sealed: Bytes,
      associatedData: null,
      nonce: Bytes,
      key: Bytes,
    ): number;
    crypto_aead_xchacha20poly1305_ietf_encrypt(
      out: Bytes,
      plaintext: Bytes,
      associatedData: Bytes,
      secretNonce: null,
      nonce: Bytes,
      key: Bytes,
    ): number;
    crypto_aead_xchacha20poly1305_ietf_decrypt(
      out: Bytes,
      secretNonce: null,
      sealed: Bytes,
      associatedData: Bytes,
      nonce: Bytes,
      key: Bytes,
    ): number;
  };
  export default sodium;
}
