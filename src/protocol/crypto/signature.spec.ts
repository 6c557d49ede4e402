import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { fromBase64, toBase64 } from '../encoding/base64.js';
import { sha256Text } from '../encoding/stringify.js';
import { toUtf8 } from '../encoding/utf8.js';
import { createNobleProvider } from './noble.js';
import { signText, verifyText, verifyTextOrHash } from './signature.js';
import { createSodiumProvider } from './sodium.js';

interface SignVector {
  keyPair: { publicKey: string; privateKey: string };
  payload: string;
  signature: string;
  valid?: boolean;
}
interface AuthVector {
  challenge: string;
  signature: string;
  signingPublicKey: string;
}

const require = createRequire(import.meta.url);
const { vectors } = require('../../../test/vectors/sign.json') as { vectors: SignVector[] };
const auth = require('../../../test/vectors/auth.json') as { vectors: AuthVector[] };

describe.each([createNobleProvider(), await createSodiumProvider()])('signatures with $name', (crypto) => {
  it.each(vectors)('agrees with the client library on $payload', ({ keyPair, payload, signature, valid = true }) => {
    const signed = signText(crypto, fromBase64(keyPair.privateKey), payload);
    expect(signed === signature).toBe(valid);
    expect(verifyText(crypto, fromBase64(keyPair.publicKey), payload, signature)).toBe(valid);
  });

  it.each(auth.vectors)('checks a login', ({ challenge, signature, signingPublicKey }) => {
    const key = fromBase64(signingPublicKey);
    expect(verifyText(crypto, key, challenge, signature)).toBe(true);
    expect(verifyText(crypto, key, `${challenge} `, signature)).toBe(false);
  });

  it('takes what is no base64 for an invalid signature', () => {
    expect(verifyText(crypto, randomBytes(32), 'text', '0xabcd')).toBe(false);
    expect(verifyTextOrHash(crypto, randomBytes(32), 'text', '0xabcd')).toBe(false);
  });

  it('accepts a signature of the hash only where it may', () => {
    const { publicKey, privateKey } = crypto.signingKeyPairFromSeed(randomBytes(32));
    const ofText = signText(crypto, privateKey, 'text');
    const ofHash = signText(crypto, privateKey, sha256Text(crypto, 'text'));
    expect(verifyTextOrHash(crypto, publicKey, 'text', ofText)).toBe(true);
    expect(verifyTextOrHash(crypto, publicKey, 'text', ofHash)).toBe(true);
    expect(verifyTextOrHash(crypto, publicKey, 'texts', ofHash)).toBe(false);
    expect(verifyText(crypto, publicKey, 'text', ofHash)).toBe(false);
  });

  it.each([true, false])('accepts the specification’s ECDSA (compressed key: %s)', (compressed) => {
    const privateKey = secp256k1.utils.randomSecretKey();
    const publicKey = secp256k1.getPublicKey(privateKey, compressed);
    const signature = toBase64(crypto.signEthereum(privateKey, crypto.sha256(toUtf8('text'))));
    expect(verifyTextOrHash(crypto, publicKey, 'text', signature)).toBe(true);
    expect(verifyTextOrHash(crypto, publicKey, 'texts', signature)).toBe(false);
    expect(verifyTextOrHash(crypto, publicKey, 'text', toBase64(randomBytes(64)))).toBe(false);
    expect(verifyTextOrHash(crypto, publicKey, 'text', toBase64(randomBytes(3)))).toBe(false);
    expect(verifyTextOrHash(crypto, publicKey.fill(0xff), 'text', signature)).toBe(false);
  });
});
