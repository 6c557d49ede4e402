import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import { fromBase64, toBase64 } from '../encoding/base64.js';
import { fromHex, toHex } from '../encoding/hex.js';
import { sha256Text, stringify } from '../encoding/stringify.js';
import { fromUtf8, toUtf8, utf8Length } from '../encoding/utf8.js';
import { DecryptionError, InvalidKeyError } from './errors.js';
import { createNobleProvider } from './noble.js';
import { decryptText, encryptText, openText, payloadLength, sealText } from './payload.js';
import { createSodiumProvider } from './sodium.js';

type Text = string | { repeat: string; times: number };
interface Payload {
  ciphertext: string;
  nonce: string;
  ephemPublicKey?: string;
}
interface AsymmetricVector {
  case: string;
  receiver: { publicKey: string; privateKey: string };
  payload: Payload;
  expectedPlaintext?: Text;
}
interface SymmetricVector {
  case: string;
  key: string;
  nonceIn: string;
  plaintext: Text;
  padding?: number;
  expected: { ciphertext?: string; ciphertextSha256?: string; ciphertextBytes: number };
}
interface PaddingVector {
  case: string;
  key: string;
  payload: Payload;
  result: { plaintextSha256?: string };
}
interface StorageVector {
  kind?: 'container';
  plaintext: string;
  key: string;
  accountEnsName: string;
  nonce: string;
  receiver: AsymmetricVector['receiver'];
  encrypted: string;
}

const require = createRequire(import.meta.url);
const asymmetric = require('../../../test/vectors/encrypt-asymmetric.json') as { vectors: AsymmetricVector[] };
const symmetric = require('../../../test/vectors/encrypt-symmetric.json') as { vectors: SymmetricVector[] };
const padding = require('../../../test/vectors/padding.json') as { vectors: PaddingVector[] };
const misc = require('../../../test/vectors/misc.json') as { vectors: { storage?: StorageVector[] }[] };
const storage = misc.vectors.flatMap((vector) => vector.storage ?? []);

const spelledOut = (text: Text): string => (typeof text === 'string' ? text : text.repeat.repeat(text.times));
const rawPair = (pair: AsymmetricVector['receiver']) => ({
  publicKey: fromBase64(pair.publicKey),
  privateKey: fromBase64(pair.privateKey),
});

describe.each([createNobleProvider(), await createSodiumProvider()])('payloads with $name', (crypto) => {
  const sha256 = (text: string): string => toHex(crypto.sha256(toUtf8(text))).slice(2);
  const own = crypto.encryptionKeyPairFromSeed(randomBytes(32));

  it.each(asymmetric.vectors.filter((vector) => vector.expectedPlaintext !== undefined))(
    'opens what the client library encrypted: $case',
    ({ receiver, payload, expectedPlaintext }) => {
      expect(decryptText(crypto, rawPair(receiver), JSON.stringify(payload))).toBe(spelledOut(expectedPlaintext!));
    },
  );

  it.each(asymmetric.vectors.filter((vector) => vector.expectedPlaintext === undefined))(
    'refuses what the client library refuses ($payload.ephemPublicKey)',
    ({ receiver, payload }) => {
      expect(() => decryptText(crypto, rawPair(receiver), JSON.stringify(payload))).toThrow(DecryptionError);
    },
  );

  it.each(symmetric.vectors)('seals as the client library does: $case', (vector) => {
    const [key, nonce, text] = [fromBase64(vector.key), fromHex(vector.nonceIn), spelledOut(vector.plaintext)];
    const wire = sealText(crypto, key, nonce, text, vector.padding);
    const { ciphertext } = JSON.parse(wire) as Payload;
    const { expected } = vector;

    expect(fromBase64(ciphertext)).toHaveLength(expected.ciphertextBytes);
    expect(expected.ciphertext ?? expected.ciphertextSha256).toBe(
      expected.ciphertext === undefined ? sha256(ciphertext) : ciphertext,
    );
    expect(openText(crypto, key, wire, vector.padding)).toBe(text);
  });

  it.each(padding.vectors.filter(({ result }) => result.plaintextSha256 !== undefined))(
    'strips the padding of $case',
    ({ key, payload, result }) => {
      const text = openText(crypto, fromBase64(key), JSON.stringify(payload));
      expect(sha256(text)).toBe(result.plaintextSha256);
    },
  );

  it.each(padding.vectors.filter(({ result }) => result.plaintextSha256 === undefined))(
    'refuses the padding of $case',
    ({ key, payload }) => {
      expect(() => openText(crypto, fromBase64(key), JSON.stringify(payload))).toThrow(DecryptionError);
    },
  );

  it.each(storage.filter((vector) => vector.kind === undefined))('encrypts the storage field $plaintext', (vector) => {
    const wire = sealText(crypto, fromBase64(vector.key), fromHex(vector.nonce), vector.plaintext, 1);
    expect(toBase64(toUtf8(wire))).toBe(vector.encrypted);
    expect(sha256Text(crypto, vector.accountEnsName).slice(0, vector.nonce.length)).toBe(vector.nonce);
  });

  it.each(storage.filter((vector) => vector.kind === 'container'))('opens a stored container', (vector) => {
    const wire = fromUtf8(fromBase64(vector.encrypted));
    expect(decryptText(crypto, rawPair(vector.receiver), wire)).toBe(vector.plaintext);
  });

  it('round-trips any text, in the stringified form, of the predicted length', () => {
    const text = fc.oneof(
      anyText(),
      fc.nat(7000).map((length) => 'ž'.repeat(length)),
    );
    fc.assert(
      fc.property(text, (plaintext) => {
        const wire = encryptText(crypto, own.publicKey, plaintext, randomBytes);
        expect(decryptText(crypto, own, wire)).toBe(plaintext);
        expect(stringify(JSON.parse(wire))).toBe(wire);
        expect(utf8Length(wire)).toBe(payloadLength(utf8Length(plaintext)));
      }),
      { numRuns: 25 },
    );
  });

  it('opens nothing that was touched', () => {
    const payload = JSON.parse(encryptText(crypto, own.publicKey, 'text', randomBytes)) as Required<Payload>;
    const members = {
      ciphertext: [fromBase64(payload.ciphertext), toBase64],
      ephemPublicKey: [fromBase64(payload.ephemPublicKey), toBase64],
      nonce: [fromHex(payload.nonce), toHex],
    } as const;
    const touched = fc.constantFrom(...(Object.keys(members) as (keyof typeof members)[]));
    fc.assert(
      fc.property(touched, fc.nat(), fc.integer({ min: 1, max: 255 }), (member, position, mask) => {
        const [original, encode] = members[member];
        const bytes = Uint8Array.from(original);
        bytes[position % bytes.length]! ^= mask;
        const wire = JSON.stringify({ ...payload, [member]: encode(bytes) });
        expect(() => decryptText(crypto, own, wire)).toThrow(DecryptionError);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['no JSON', 'text'],
    ['no object', '"text"'],
    ['no nonce', '{"ciphertext":"","ephemPublicKey":""}'],
    ['no base64', '{"ciphertext":"*","ephemPublicKey":"*","nonce":"0x"}'],
    ['a key of low order', stringify({ ciphertext: '', nonce: '0x', ephemPublicKey: toBase64(new Uint8Array(32)) })],
  ])('refuses %s', (_, wire) => {
    expect(() => decryptText(crypto, own, wire)).toThrow(DecryptionError);
  });

  it.each([10, 24])('refuses a nonce of %i bytes', (length) => {
    const payload = JSON.parse(encryptText(crypto, own.publicKey, 'text', randomBytes)) as Payload;
    const wire = JSON.stringify({ ...payload, nonce: toHex(new Uint8Array(length)) });
    expect(() => decryptText(crypto, own, wire)).toThrow(DecryptionError);
  });

  it('encrypts for no key of low order', () => {
    expect(() => encryptText(crypto, new Uint8Array(32), 'text', randomBytes)).toThrow(InvalidKeyError);
  });

  it('is not for anybody else', () => {
    const wire = encryptText(crypto, own.publicKey, 'text', randomBytes);
    const other = crypto.encryptionKeyPairFromSeed(randomBytes(32));
    expect(() => decryptText(crypto, other, wire)).toThrow(DecryptionError);
  });
});
