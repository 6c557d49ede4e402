import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { checksumAddress, profileKeysFromSeed, type ProfileKeys } from './crypto/keys.js';
import { createNobleProvider } from './crypto/noble.js';
import { decryptText, encryptText } from './crypto/payload.js';
import type { RawKeyPair } from './crypto/provider.js';
import { createSodiumProvider } from './crypto/sodium.js';
import { toBase64 } from './encoding/base64.js';
import { stringify } from './encoding/stringify.js';
import {
  buildEnvelope,
  type Dialect,
  type Envelope,
  envelopeSize,
  openDeliveryInformation,
  parseEnvelope,
  verifyEnvelope,
} from './envelope/envelope.js';
import { type Dm3Message, messageHash, parseMessage, signMessage, verifyMessage } from './envelope/message.js';
import { createPostmark, openPostmark, verifyPostmark } from './envelope/postmark.js';
import { dataRecord, parseRecord } from './profile/record.js';
import { signProfile } from './profile/user-profile.js';

// The library real clients are made of, version 1.7.1: it opens what we make, and we open what it makes.
const require = createRequire(import.meta.url);
const messaging = require('@dm3-org/dm3-lib-messaging') as typeof import('@dm3-org/dm3-lib-messaging');
const clientCrypto = require('@dm3-org/dm3-lib-crypto') as typeof import('@dm3-org/dm3-lib-crypto');
const clientProfile = require('@dm3-org/dm3-lib-profile') as typeof import('@dm3-org/dm3-lib-profile');
const shared = require('@dm3-org/dm3-lib-shared') as typeof import('@dm3-org/dm3-lib-shared');

const asText = ({ publicKey, privateKey }: RawKeyPair) => ({
  publicKey: toBase64(publicKey),
  privateKey: toBase64(privateKey),
});
const clientKeys = ({ encryption, signing, storageKey }: ProfileKeys) => ({
  encryptionKeyPair: asText(encryption),
  signingKeyPair: asText(signing),
  storageEncryptionKey: toBase64(storageKey),
  storageEncryptionNonce: '',
});
const profileOf = ({ encryption, signing }: ProfileKeys) => ({
  publicEncryptionKey: toBase64(encryption.publicKey),
  publicSigningKey: toBase64(signing.publicKey),
  deliveryServices: ['ds.eth'],
});

beforeEach(() => {
  for (const method of ['log', 'debug', 'info'] as const) jest.spyOn(console, method).mockImplementation(() => {});
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe.each([createNobleProvider(), await createSodiumProvider()])('the client library and $name', (crypto) => {
  const [alice, bob, service] = [1, 2, 3].map((seed) => profileKeysFromSeed(crypto, new Uint8Array(32).fill(seed)));
  const wallet = new Uint8Array(32).fill(9);

  function ourEnvelope(message: Dm3Message, dialect: Dialect = 'encryptedMessageHash'): Envelope {
    const options = {
      encryptedMessage: encryptText(crypto, bob!.encryption.publicKey, stringify(message), randomBytes),
      messageHash: messageHash(crypto, message),
      dialect,
      deliveryInformation: { to: 'bob.eth', from: 'alice.eth' },
      deliveryServiceEncryptionKey: service!.encryption.publicKey,
      senderSigningKey: alice!.signing.privateKey,
    };
    return buildEnvelope(crypto, options, randomBytes);
  }

  const ourMessage = (): Dm3Message =>
    signMessage(
      crypto,
      {
        message: 'žluťoučký 😀',
        attachments: [],
        metadata: { to: 'bob.eth', from: 'alice.eth', timestamp: 1, type: 'REPLY', referenceMessageHash: '0x12' },
      },
      alice!.signing.privateKey,
    );

  it('opens an envelope of the client', async () => {
    const privateKey = toBase64(alice!.signing.privateKey);
    const message = await messaging.createMessage('bob.eth', 'alice.eth', 'žluťoučký 😀', privateKey);
    const { encryptedEnvelop } = await messaging.buildEnvelop(message, clientCrypto.encryptAsymmetric, {
      to: { ensName: 'bob.eth', profile: profileOf(bob!) },
      from: { ensName: 'alice.eth' },
      deliverServiceProfile: { ...profileOf(service!), url: 'http://ds.example' },
      keys: clientKeys(alice!),
    });
    const { params } = messaging.createJsonRpcCallSubmitMessage(encryptedEnvelop, '');
    const envelope = parseEnvelope(params[0]);
    const opened = parseMessage(decryptText(crypto, bob!.encryption, envelope.message));

    expect(envelopeSize(envelope)).toBe(messaging.getEnvelopSize(encryptedEnvelop));
    expect(verifyEnvelope(crypto, envelope, alice!.signing.publicKey)).toBe(true);
    expect(openDeliveryInformation(crypto, envelope, service!.encryption)).toEqual({
      to: 'bob.eth',
      from: 'alice.eth',
    });
    expect(opened).toEqual(message);
    expect(verifyMessage(crypto, opened, alice!.signing.publicKey)).toBe(true);
  });

  it('makes envelopes the client takes', async () => {
    const message = ourMessage();
    const envelope = ourEnvelope(message);
    const { EncryptionEnvelopeSchema, MessageSchema } = messaging.schema;
    const { signature, ...metadata } = envelope.metadata;
    const text = await clientCrypto.decryptAsymmetric(asText(bob!.encryption), JSON.parse(envelope.message));
    const signingKey = toBase64(alice!.signing.publicKey);

    expect(shared.validateSchema(EncryptionEnvelopeSchema, envelope)).toBe(true);
    expect(shared.validateSchema(EncryptionEnvelopeSchema, ourEnvelope(message, 'messageHash'))).toBe(false);
    expect(await clientCrypto.checkSignature(signingKey, shared.stringify(metadata)!, signature)).toBe(true);
    expect(JSON.parse(text)).toEqual(message);
    expect(shared.validateSchema(MessageSchema, JSON.parse(text))).toBe(true);
    expect(await messaging.checkMessageSignature(JSON.parse(text), signingKey, 'alice.eth')).toBe(true);
  });

  it('agrees with the client’s delivery service', async () => {
    const envelope = ourEnvelope(ourMessage());
    const handled = await messaging.handleMessageOnDeliveryService(
      envelope as Parameters<typeof messaging.handleMessageOnDeliveryService>[0],
      clientKeys(service!),
      profileOf(bob!),
    );
    const postmark = openPostmark(crypto, handled.encryptedEnvelop.postmark, bob!.encryption);
    expect(handled.decryptedDeliveryInformation).toEqual({ to: 'bob.eth', from: 'alice.eth' });
    expect(verifyPostmark(crypto, postmark, envelope.message, service!.signing.publicKey)).toBe(true);
  });

  it('makes postmarks the client opens', async () => {
    const options = {
      envelopeMessage: 'message',
      receivedAt: 5,
      signingKey: service!.signing.privateKey,
      receiverEncryptionKey: bob!.encryption.publicKey,
    };
    const wire = createPostmark(crypto, options, randomBytes);
    const text = await clientCrypto.decryptAsymmetric(asText(bob!.encryption), JSON.parse(wire));
    const { signature, ...unsigned } = JSON.parse(text) as { signature: string };
    const signedText = shared.sha256(shared.stringify(unsigned)!);
    const serviceKey = toBase64(service!.signing.publicKey);
    expect(unsigned).toMatchObject({ incommingTimestamp: 5 });
    expect(await clientCrypto.checkSignature(serviceKey, signedText, signature)).toBe(true);
  });

  it('derives the keys the client derives', async () => {
    const seed = toBase64(alice!.storageKey);
    expect(await clientCrypto.createKeyPair(seed)).toEqual(asText(alice!.encryption));
    expect(await clientCrypto.createSigningKeyPair(seed)).toEqual(asText(alice!.signing));
  });

  it.each([['ds.eth'], ['dš.eth']])('publishes a profile the client reads (%s)', async (deliveryService) => {
    const profile = { ...profileOf(alice!), deliveryServices: [deliveryService] };
    const address = crypto.ethereumAddress(wallet);
    const { signature } = signProfile(crypto, profile, wallet);
    const record = dataRecord({ profile, signature });
    const resolver = clientProfile.JsonResolver(clientProfile.validateSignedUserProfile);
    const read = await resolver.resolveProfile(record);

    expect(read).toEqual({ profile, signature });
    expect(parseRecord(record)).toEqual({ kind: 'data', json: read });
    expect(clientProfile.checkUserProfileWithAddress(read, checksumAddress(crypto, address))).toBe(true);
  });
});
