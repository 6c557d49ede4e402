import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { fromBase64, toBase64 } from '../encoding/base64.js';
import { fromHex, toHex } from '../encoding/hex.js';
import { toUtf8 } from '../encoding/utf8.js';
import { DecryptionError, InvalidKeyError } from './errors.js';
import { createNobleProvider } from './noble.js';
import type { RawKeyPair } from './provider.js';
import { createSodiumProvider } from './sodium.js';

interface TextPair {
  publicKey: string;
  privateKey: string;
}
interface KeysVector {
  seed: string;
  encryptionKeyPair: TextPair;
  signingKeyPair: TextPair;
}
interface KxVector {
  client: TextPair;
  serverPublicKey: string;
  serverPrivateKey: string;
  clientSession: { sharedTx: string };
}

const require = createRequire(import.meta.url);
const keys = require('../../../test/vectors/keys.json') as { vectors: KeysVector[] };
const kx = require('../../../test/vectors/kx.json') as { vectors: KxVector[] };

const noble = createNobleProvider();
const sodium = await createSodiumProvider();

const asText = ({ publicKey, privateKey }: RawKeyPair): TextPair => ({
  publicKey: toBase64(publicKey),
  privateKey: toBase64(privateKey),
});
const asBytes = ({ publicKey, privateKey }: TextPair): RawKeyPair => ({
  publicKey: fromBase64(publicKey),
  privateKey: fromBase64(privateKey),
});
const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

/** A copy with one bit of one byte turned. */
function flipped(bytes: Uint8Array, index: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[index]! ^= 1;
  return copy;
}

const NO_HEAD = new Uint8Array(0);

describe.each([noble, sodium])('$name', (crypto) => {
  it('hashes the known texts', () => {
    expect(toHex(crypto.sha256(toUtf8('abc')))).toBe(
      '0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(toHex(crypto.keccak256(toUtf8('')))).toBe(
      '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
    );
  });

  it.each(keys.vectors)('makes both pairs from the seed $seed', ({ seed, ...vector }) => {
    expect(asText(crypto.encryptionKeyPairFromSeed(fromBase64(seed)))).toEqual(vector.encryptionKeyPair);
    expect(asText(crypto.signingKeyPairFromSeed(fromBase64(seed)))).toEqual(vector.signingKeyPair);
  });

  it.each(kx.vectors)('agrees on a session key from both sides ($serverPublicKey)', (vector) => {
    const client = asBytes(vector.client);
    const server = asBytes({ publicKey: vector.serverPublicKey, privateKey: vector.serverPrivateKey });
    expect(toBase64(crypto.senderSessionKey(client, server.publicKey))).toBe(vector.clientSession.sharedTx);
    expect(toBase64(crypto.receiverSessionKey(server, client.publicKey))).toBe(vector.clientSession.sharedTx);
  });

  it.each([
    ['the point at zero', new Uint8Array(32)],
    ['the point at one', Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0))],
    ['31 bytes', new Uint8Array(31).fill(9)],
    ['33 bytes', new Uint8Array(33).fill(9)],
  ])('refuses %s as somebody else’s key', (_, theirs) => {
    const own = crypto.encryptionKeyPairFromSeed(new Uint8Array(32));
    expect(() => crypto.senderSessionKey(own, theirs)).toThrow(InvalidKeyError);
    expect(() => crypto.receiverSessionKey(own, theirs)).toThrow(InvalidKeyError);
  });

  it('seals XChaCha20-Poly1305 as draft-irtf-cfrg-xchacha-03 A.3.1 does', () => {
    const key = Uint8Array.from({ length: 32 }, (_, index) => 0x80 + index);
    const nonce = Uint8Array.from({ length: 24 }, (_, index) => 0x40 + index);
    const text =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    const sealed = crypto.xchachaSeal(key, nonce, toUtf8(text), fromHex('0x50515253c0c1c2c3c4c5c6c7'), NO_HEAD);
    expect(toHex(sealed).slice(0, 34)).toBe('0xbd6d179d3e83d43b9576579493c0e939');
    expect(toHex(sealed.subarray(-16))).toBe('0xc0875924c1c7987947deafd8780acf49');
  });

  it('opens what it sealed, and nothing that was touched', () => {
    const [key, nonce, plaintext, bound] = [randomBytes(32), randomBytes(24), randomBytes(20), randomBytes(5)];
    const sealed = crypto.xchachaSeal(key, nonce, plaintext, bound, NO_HEAD);
    const headed = crypto.xchachaSeal(key, nonce, plaintext, bound, Uint8Array.of(7, 8));
    expect(toHex(headed)).toBe(`0x0708${toHex(sealed).slice(2)}`);
    expect(toHex(crypto.xchachaOpen(key, nonce, sealed, bound))).toBe(toHex(plaintext));
    for (let index = 0; index < sealed.length; index++) {
      expect(() => crypto.xchachaOpen(key, nonce, flipped(sealed, index), bound)).toThrow(DecryptionError);
    }
    expect(() => crypto.xchachaOpen(key, nonce, sealed, flipped(bound, 0))).toThrow(DecryptionError);
    expect(() => crypto.xchachaOpen(key, nonce, sealed.subarray(0, 15), bound)).toThrow(DecryptionError);
    expect(() => crypto.chachaOpen(key, nonce.subarray(12), sealed.subarray(0, 15))).toThrow(DecryptionError);
  });

  it('takes a signature of the wrong form for an invalid one', () => {
    const { publicKey, privateKey } = crypto.signingKeyPairFromSeed(randomBytes(32));
    const data = toUtf8('data');
    const signature = crypto.sign(privateKey, data);
    expect(crypto.verify(publicKey, data, signature)).toBe(true);
    expect(crypto.verify(publicKey, data, signature.subarray(1))).toBe(false);
    expect(crypto.verify(publicKey, data, Buffer.concat([signature, data]))).toBe(false);
    expect(crypto.verify(publicKey.subarray(1), data, signature)).toBe(false);
    expect(crypto.verify(new Uint8Array(32), data, new Uint8Array(64))).toBe(false);
  });

  it('recovers the address that signed, from either way of writing v', () => {
    const privateKey = fromHex('0x2dd014788402439df5b8c4c3aa88566e0148ef3ae29e8617cb27851e9fb00f30');
    const address = '0xf0c3575ba96107555861857ef771268fcb1f39f7';
    const digest = crypto.sha256(toUtf8('text'));
    const signature = crypto.signEthereum(privateKey, digest);
    const { 64: v } = signature;

    expect(crypto.ethereumAddress(privateKey)).toBe(address);
    expect(crypto.recoverEthereum(digest, signature)).toBe(address);
    expect(crypto.recoverEthereum(digest, signature.with(64, v! - 27))).toBe(address);
    expect(crypto.recoverEthereum(flipped(digest, 0), signature)).not.toBe(address);
    expect(crypto.recoverEthereum(digest, signature.with(64, 99))).toBeNull();
    expect(crypto.recoverEthereum(digest, signature.subarray(0, 64))).toBeNull();
    expect(crypto.recoverEthereum(digest, new Uint8Array(65))).toBeNull();
  });
});

describe('both providers', () => {
  it('give the same bytes for everything', () => {
    fc.assert(
      fc.property(bytesOf(32), bytesOf(32), bytesOf(24), fc.uint8Array({ maxLength: 100 }), (a, b, nonce, data) => {
        const results = [noble, sodium].map((crypto) => {
          const [mine, theirs] = [crypto.encryptionKeyPairFromSeed(a), crypto.encryptionKeyPairFromSeed(b)];
          const signing = crypto.signingKeyPairFromSeed(a);
          const key = crypto.senderSessionKey(mine, theirs.publicKey);
          return [
            crypto.sha256(data),
            crypto.keccak256(data),
            key,
            crypto.chachaSeal(key, nonce.subarray(0, 12), data),
            crypto.xchachaSeal(key, nonce, data, b, NO_HEAD),
            crypto.sign(signing.privateKey, data),
          ].map(toHex);
        });
        expect(results[0]).toEqual(results[1]);
      }),
      { numRuns: 20 },
    );
  });
});
