import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import { DecryptionError } from '../crypto/errors.js';
import { profileKeysFromSeed } from '../crypto/keys.js';
import { createNobleProvider } from '../crypto/noble.js';
import { encryptText } from '../crypto/payload.js';
import { signText } from '../crypto/signature.js';
import { createSodiumProvider } from '../crypto/sodium.js';
import { fromBase64 } from '../encoding/base64.js';
import { sha256Text, stringify } from '../encoding/stringify.js';
import { MalformedPostmarkError } from './errors.js';
import {
  arrivalOf,
  createPostmark,
  openPostmark,
  type Postmark,
  processedEnvelope,
  verifyPostmark,
} from './postmark.js';

interface TextPair {
  publicKey: string;
  privateKey: string;
}
interface Vector {
  envelopMessage: string;
  receiverEncryptionKeyPair: TextPair;
  dsSigningKeyPair: TextPair;
  encryptedPostmark: string;
  decrypted: Postmark;
}
interface EnvelopeVector {
  receiverKeys: { encryptionKeyPair: TextPair };
  deliveryServiceKeys: { signingKeyPair: TextPair };
  envelopWithPostmark: { message: string; postmark: string };
  decryptedPostmark: Postmark;
}

const require = createRequire(import.meta.url);
const postmarks = require('../../../test/vectors/postmark.json') as { vectors: Vector[] };
const envelopes = require('../../../test/vectors/envelope.json') as { vectors: EnvelopeVector[] };
const vectors: Vector[] = [
  ...postmarks.vectors,
  ...envelopes.vectors.map((vector) => ({
    envelopMessage: vector.envelopWithPostmark.message,
    receiverEncryptionKeyPair: vector.receiverKeys.encryptionKeyPair,
    dsSigningKeyPair: vector.deliveryServiceKeys.signingKeyPair,
    encryptedPostmark: vector.envelopWithPostmark.postmark,
    decrypted: vector.decryptedPostmark,
  })),
];

describe.each([createNobleProvider(), await createSodiumProvider()])('postmarks with $name', (crypto) => {
  const [receiver, service] = [1, 2].map((seed) => profileKeysFromSeed(crypto, new Uint8Array(32).fill(seed)));
  const create = (envelopeMessage: string, receivedAt: number): string =>
    createPostmark(
      crypto,
      {
        envelopeMessage,
        receivedAt,
        signingKey: service!.signing.privateKey,
        receiverEncryptionKey: receiver!.encryption.publicKey,
      },
      randomBytes,
    );

  it.each(vectors)('agree with the client library ($decrypted.incommingTimestamp)', (vector) => {
    const { publicKey, privateKey } = vector.receiverEncryptionKeyPair;
    const own = { publicKey: fromBase64(publicKey), privateKey: fromBase64(privateKey) };
    const serviceKey = fromBase64(vector.dsSigningKeyPair.publicKey);
    const postmark = openPostmark(crypto, vector.encryptedPostmark, own);

    expect(postmark).toEqual(vector.decrypted);
    expect(arrivalOf(postmark)).toBe(vector.decrypted.incommingTimestamp);
    expect(verifyPostmark(crypto, postmark, vector.envelopMessage, serviceKey)).toBe(true);

    const again = createPostmark(
      crypto,
      {
        envelopeMessage: vector.envelopMessage,
        receivedAt: vector.decrypted.incommingTimestamp!,
        signingKey: fromBase64(vector.dsSigningKeyPair.privateKey),
        receiverEncryptionKey: own.publicKey,
      },
      randomBytes,
    );
    expect(openPostmark(crypto, again, own)).toEqual(vector.decrypted);
  });

  it('open for the receiver and certify one envelope', () => {
    fc.assert(
      fc.property(anyText({ minLength: 1 }), fc.nat(), (message, receivedAt) => {
        const postmark = openPostmark(crypto, create(message, receivedAt), receiver!.encryption);
        const verify = (changed: Postmark, envelopeMessage = message): boolean =>
          verifyPostmark(crypto, changed, envelopeMessage, service!.signing.publicKey);

        expect(arrivalOf(postmark)).toBe(receivedAt);
        expect(verify(postmark)).toBe(true);
        expect(verify(postmark, `${message}!`)).toBe(false);
        expect(verify({ ...postmark, incommingTimestamp: receivedAt + 1 })).toBe(false);
        expect(verify({ ...postmark, messageHash: sha256Text(crypto, message) })).toBe(false);
        expect(verifyPostmark(crypto, postmark, message, receiver!.signing.publicKey)).toBe(false);
      }),
      { numRuns: 15 },
    );
  });

  it('open for nobody else', () => {
    expect(() => openPostmark(crypto, create('message', 1), service!.encryption)).toThrow(DecryptionError);
  });

  it('may be spelled and hashed as the specification says', () => {
    const unsigned = { messageHash: sha256Text(crypto, 'message'), incomingTimestamp: 5, deliveryInformation: names };
    const signature = signText(crypto, service!.signing.privateKey, sha256Text(crypto, stringify(unsigned)));
    const text = stringify({ ...unsigned, signature });
    const postmark = openPostmark(
      crypto,
      encryptText(crypto, receiver!.encryption.publicKey, text, randomBytes),
      receiver!.encryption,
    );
    expect(arrivalOf(postmark)).toBe(5);
    expect(verifyPostmark(crypto, postmark, 'message', service!.signing.publicKey)).toBe(true);
  });

  it.each([
    ['no JSON', 'text', 'it is not JSON'],
    ['no time', '{"messageHash":"0x","signature":""}', 'time of arrival'],
    ['no signature', '{"messageHash":"0x","incommingTimestamp":1}', 'signature'],
  ])('with %s are refused', (_, text, reason) => {
    const wire = encryptText(crypto, receiver!.encryption.publicKey, text, randomBytes);
    const open = (): unknown => openPostmark(crypto, wire, receiver!.encryption);
    expect(open).toThrow(MalformedPostmarkError);
    expect(open).toThrow(reason);
  });
});

const names = { to: 'bob.eth', from: 'alice.eth' };

describe('processedEnvelope', () => {
  it('opens the delivery information and adds the postmark', () => {
    const envelope = { message: 'm', metadata: { version: 'v1', deliveryInformation: 'encrypted', signature: 's' } };
    expect(processedEnvelope(envelope, names, 'postmark')).toEqual({
      message: 'm',
      metadata: { version: 'v1', deliveryInformation: names, signature: 's' },
      postmark: 'postmark',
    });
  });
});
