import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import { DecryptionError } from '../crypto/errors.js';
import { profileKeysFromSeed } from '../crypto/keys.js';
import { createNobleProvider } from '../crypto/noble.js';
import { decryptText, encryptText } from '../crypto/payload.js';
import type { RawKeyPair } from '../crypto/provider.js';
import { createSodiumProvider } from '../crypto/sodium.js';
import { fromBase64 } from '../encoding/base64.js';
import { stringify } from '../encoding/stringify.js';
import { utf8Length } from '../encoding/utf8.js';
import {
  buildEnvelope,
  claimedHash,
  type DeliveryInformation,
  type Dialect,
  type Envelope,
  encryptedMessageHash,
  envelopeHashes,
  envelopeSize,
  openDeliveryInformation,
  parseEnvelope,
  predictEnvelopeSize,
  verifyEnvelope,
} from './envelope.js';
import {
  MalformedDeliveryInformationError,
  MalformedEnvelopeError,
  UnsupportedEncryptionSchemeError,
} from './errors.js';
import { type Dm3Message, messageHash, parseMessage, signMessage } from './message.js';

interface TextPair {
  publicKey: string;
  privateKey: string;
}
interface Vector {
  case: string;
  receiverKeys: { encryptionKeyPair: TextPair };
  senderSigningPublicKey: string;
  deliveryServiceKeys: { encryptionKeyPair: TextPair };
  message: Dm3Message;
  encryptedEnvelop: Envelope;
  sizeBytes: number;
  encryptedMessageHash: string;
  deliveryInformation: DeliveryInformation;
  submitBody: { params: string[] };
  newestDialect: { metadata: Envelope['metadata'] };
}

const require = createRequire(import.meta.url);
const { vectors } = require('../../../test/vectors/envelope.json') as { vectors: Vector[] };

const rawPair = ({ publicKey, privateKey }: TextPair): RawKeyPair => ({
  publicKey: fromBase64(publicKey),
  privateKey: fromBase64(privateKey),
});
const DIALECTS: readonly Dialect[] = ['messageHash', 'encryptedMessageHash'];
const names: DeliveryInformation = { to: 'bob.eth', from: 'alice.eth' };
const minimal: Envelope = { message: 'm', metadata: { deliveryInformation: 'd', signature: 's' } };

describe.each([createNobleProvider(), await createSodiumProvider()])('envelopes with $name', (crypto) => {
  const [sender, receiver, service] = [1, 2, 3].map((seed) =>
    profileKeysFromSeed(crypto, new Uint8Array(32).fill(seed)),
  );

  function build(
    dialect: Dialect,
    text: string,
    deliveryInformation = names,
  ): { envelope: Envelope; message: Dm3Message } {
    const metadata = { to: 'bob.eth', from: 'alice.eth', timestamp: 1, type: 'NEW' } as const;
    const message = signMessage(crypto, { message: text, metadata }, sender!.signing.privateKey);
    const options = {
      encryptedMessage: encryptText(crypto, receiver!.encryption.publicKey, stringify(message), randomBytes),
      messageHash: messageHash(crypto, message),
      dialect,
      deliveryInformation,
      deliveryServiceEncryptionKey: service!.encryption.publicKey,
      senderSigningKey: sender!.signing.privateKey,
    };
    return { envelope: buildEnvelope(crypto, options, randomBytes), message };
  }

  it.each(vectors)('opens the client library’s $case', (vector) => {
    const envelope = parseEnvelope(vector.submitBody.params[0]);
    const senderKey = fromBase64(vector.senderSigningPublicKey);

    expect(envelope).toEqual(vector.encryptedEnvelop);
    expect(envelopeSize(envelope)).toBe(vector.sizeBytes);
    expect(encryptedMessageHash(crypto, envelope.message)).toBe(vector.encryptedMessageHash);
    expect(claimedHash(envelope)).toBe(vector.encryptedMessageHash);
    expect(verifyEnvelope(crypto, envelope, senderKey)).toBe(true);
    expect(openDeliveryInformation(crypto, envelope, rawPair(vector.deliveryServiceKeys.encryptionKeyPair))).toEqual(
      vector.deliveryInformation,
    );
    const text = decryptText(crypto, rawPair(vector.receiverKeys.encryptionKeyPair), envelope.message);
    expect(parseMessage(text)).toEqual(vector.message);
  });

  it.each(vectors)('reads $case in the newest dialect', ({ newestDialect, encryptedEnvelop, ...vector }) => {
    const envelope = parseEnvelope({ ...encryptedEnvelop, metadata: newestDialect.metadata });
    expect(verifyEnvelope(crypto, envelope, fromBase64(vector.senderSigningPublicKey))).toBe(true);
    expect(claimedHash(envelope)).toBe(messageHash(crypto, vector.message));
    expect(envelopeHashes(crypto, envelope)).toEqual([
      messageHash(crypto, vector.message),
      vector.encryptedMessageHash,
    ]);
  });

  it('builds what it opens, in both dialects, of the predicted size', () => {
    const information = fc.record(
      {
        to: anyText({ minLength: 1, maxLength: 255 }),
        from: fc.string({ minLength: 1, maxLength: 60 }),
        deliveryInstruction: fc.string(),
      },
      { requiredKeys: ['to', 'from'] },
    );
    const text = fc.oneof(
      anyText(),
      fc.nat(9000).map((length) => '"'.repeat(length)),
    );
    fc.assert(
      fc.property(fc.constantFrom(...DIALECTS), text, information, (dialect, content, deliveryInformation) => {
        const { envelope, message } = build(dialect, content, deliveryInformation);
        const parsed = parseEnvelope(stringify(envelope));
        expect(verifyEnvelope(crypto, parsed, sender!.signing.publicKey)).toBe(true);
        expect(openDeliveryInformation(crypto, parsed, service!.encryption)).toEqual(deliveryInformation);
        expect(parseMessage(decryptText(crypto, receiver!.encryption, parsed.message))).toEqual(message);
        expect(Object.keys(parsed.metadata)).toContain(dialect);

        const spare = dialect === 'messageHash' ? 9 : 0;
        expect(predictEnvelopeSize(utf8Length(stringify(message))) - envelopeSize(envelope)).toBe(spare);
      }),
      { numRuns: 15 },
    );
  });

  it.each(DIALECTS)('carries the hash of its dialect only: %s', (dialect) => {
    const { envelope, message } = build(dialect, 'text');
    const ofEncrypted = encryptedMessageHash(crypto, envelope.message);
    const expected = { messageHash: messageHash(crypto, message), encryptedMessageHash: ofEncrypted }[dialect];
    const other = DIALECTS.find((name) => name !== dialect)!;
    expect(envelope.metadata[dialect]).toBe(expected);
    expect(envelope.metadata).not.toHaveProperty(other);
    expect(envelopeHashes(crypto, envelope)).toEqual([...new Set([expected, ofEncrypted])]);
  });

  it('does not verify once its metadata changed', () => {
    const { envelope } = build('encryptedMessageHash', 'text');
    const key = sender!.signing.publicKey;
    for (const member of Object.keys(envelope.metadata)) {
      const metadata = { ...envelope.metadata, [member]: 'changed' };
      expect(verifyEnvelope(crypto, { ...envelope, metadata }, key)).toBe(false);
    }
    const extended = { ...envelope, metadata: { ...envelope.metadata, extra: 1 } };
    expect(verifyEnvelope(crypto, extended, key)).toBe(false);
    expect(verifyEnvelope(crypto, envelope, receiver!.signing.publicKey)).toBe(false);
  });

  it('opens its delivery information for its delivery service only', () => {
    const { envelope } = build('messageHash', 'text');
    expect(() => openDeliveryInformation(crypto, envelope, receiver!.encryption)).toThrow(DecryptionError);
  });

  it.each(['text', '{"to":"bob.eth"}', '{"to":"","from":"alice.eth"}', '[]'])(
    'refuses %s as delivery information',
    (text) => {
      const deliveryInformation = encryptText(crypto, service!.encryption.publicKey, text, randomBytes);
      const envelope = parseEnvelope({ ...minimal, metadata: { ...minimal.metadata, deliveryInformation } });
      expect(() => openDeliveryInformation(crypto, envelope, service!.encryption)).toThrow(
        MalformedDeliveryInformationError,
      );
    },
  );
});

describe('parseEnvelope', () => {
  it('asks for no more than it needs, and keeps the rest', () => {
    const envelope = { ...minimal, postmark: 'p', metadata: { ...minimal.metadata, version: '7', extra: [1] } };
    expect(parseEnvelope(envelope)).toBe(envelope);
    expect(claimedHash(parseEnvelope(minimal))).toBeNull();
  });

  it.each([
    ['no JSON', '{', 'it is not JSON'],
    ['nothing', undefined, 'expected object'],
    ['no message', { metadata: minimal.metadata }, 'message'],
    ['no metadata', { message: 'm' }, 'metadata'],
    [
      'open delivery information',
      { ...minimal, metadata: { ...minimal.metadata, deliveryInformation: names } },
      'metadata.deliveryInformation',
    ],
    ['no signature', { ...minimal, metadata: { deliveryInformation: 'd' } }, 'metadata.signature'],
  ])('refuses %s', (_, input, reason) => {
    expect(() => parseEnvelope(input)).toThrow(MalformedEnvelopeError);
    expect(() => parseEnvelope(input)).toThrow(reason);
  });

  it('refuses an encryption it does not know', () => {
    const metadata = { ...minimal.metadata, encryptionScheme: 'rot13' };
    expect(() => parseEnvelope({ ...minimal, metadata })).toThrow(UnsupportedEncryptionSchemeError);
  });
});
