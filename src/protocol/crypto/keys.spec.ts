import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import type { EthAddress } from '../../common/ids.js';
import { toBase64 } from '../encoding/base64.js';
import { fromHex } from '../encoding/hex.js';
import { sha256Text } from '../encoding/stringify.js';
import {
  DEFAULT_NONCE,
  checksumAddress,
  keyDerivationMessage,
  profileKeysFromSeed,
  recoverPersonalSigner,
  seedFromSignature,
  signPersonalMessage,
} from './keys.js';
import { createNobleProvider } from './noble.js';
import { createSodiumProvider } from './sodium.js';

interface Vector {
  walletPrivateKey: string;
  address: string;
  nonce: string;
  message: string;
  signature: string;
  storageKey: string;
  keys: Record<'encryptionKeyPair' | 'signingKeyPair', { publicKey: string; privateKey: string }>;
}

const require = createRequire(import.meta.url);
const { vectors } = require('../../../test/vectors/key-derivation.json') as { vectors: Vector[] };

describe.each([createNobleProvider(), await createSodiumProvider()])('keys with $name', (crypto) => {
  it.each(vectors)('derives those of $address with nonce $nonce', (vector) => {
    const walletKey = fromHex(vector.walletPrivateKey);
    const message = keyDerivationMessage(crypto, crypto.ethereumAddress(walletKey), vector.nonce);
    const signature = signPersonalMessage(crypto, walletKey, message);
    const keys = profileKeysFromSeed(crypto, seedFromSignature(crypto, signature));

    expect(message).toBe(vector.message);
    expect(signature).toBe(vector.signature);
    expect(toBase64(keys.storageKey)).toBe(vector.storageKey);
    expect(toBase64(keys.encryption.publicKey)).toBe(vector.keys.encryptionKeyPair.publicKey);
    expect(toBase64(keys.encryption.privateKey)).toBe(vector.keys.encryptionKeyPair.privateKey);
    expect(toBase64(keys.signing.publicKey)).toBe(vector.keys.signingKeyPair.publicKey);
    expect(toBase64(keys.signing.privateKey)).toBe(vector.keys.signingKeyPair.privateKey);
  });

  it.each(vectors)('recovers $address from its signature', ({ address, message, signature }) => {
    expect(recoverPersonalSigner(crypto, message, signature)).toBe(address.toLowerCase());
    expect(recoverPersonalSigner(crypto, `${message}!`, signature)).not.toBe(address.toLowerCase());
    expect(recoverPersonalSigner(crypto, message, 'no signature')).toBeNull();
  });

  it('knows where the default nonce comes from', () => {
    expect(sha256Text(crypto, 'dm3_default_nonce')).toBe(DEFAULT_NONCE);
  });

  // EIP-55, test cases
  it.each([
    '0x52908400098527886E0F7030069857D2E4169EE7',
    '0xde709f2102306220921060314715629080e2fb77',
    '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
    '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB',
  ])('writes %s in mixed case', (address) => {
    expect(checksumAddress(crypto, address.toLowerCase() as EthAddress)).toBe(address);
  });
});
