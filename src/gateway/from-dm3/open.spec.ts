import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { EnsName, Hash } from '../../common/ids.js';
import { profileKeysFromSeed } from '../../protocol/crypto/keys.js';
import { createNobleProvider } from '../../protocol/crypto/noble.js';
import { encryptText } from '../../protocol/crypto/payload.js';
import { toBase64 } from '../../protocol/encoding/base64.js';
import { stringify } from '../../protocol/encoding/stringify.js';
import { signMessage } from '../../protocol/envelope/message.js';
import { KeysReplacedError, MessageUnusableError } from './errors.js';
import { openMessage } from './open.js';
import type { FromDm3Payload } from './payload.js';

const crypto = createNobleProvider();
const keys = (seed: number) => profileKeysFromSeed(crypto, new Uint8Array(32).fill(seed));
const [bob, mallory] = [keys(1), keys(2)];
/** Versions of the ghost's keys, the current first. */
const [current, older, oldest] = [keys(13), keys(12), keys(11)] as const;

const metadata = { to: 'carol.gateway.eth', from: 'bob.eth', timestamp: 5, type: 'NEW' as const };
const signed = (by = bob) => signMessage(crypto, { message: 'Hi Carol', metadata }, by.signing.privateKey);

function payload(
  options: { text?: string; encryptedFor?: typeof bob; envelopeSignedBy?: typeof bob } = {},
): FromDm3Payload {
  const { text = stringify(signed()), encryptedFor = current, envelopeSignedBy = bob } = options;
  const message = encryptText(crypto, encryptedFor.encryption.publicKey, text, randomBytes);
  return {
    envelope: { message, metadata: { deliveryInformation: 'x', signature: 'x' } },
    deliveryInformation: { to: metadata.to, from: metadata.from },
    encryptedMessageHash: `0x${'0'.repeat(64)}` as Hash,
    sender: { name: metadata.from as EnsName, signingKey: toBase64(envelopeSignedBy.signing.publicKey) },
    destination: 'harbour',
  };
}

describe('openMessage', () => {
  it('opens what is encrypted for the current keys', () => {
    expect(openMessage(crypto, payload(), { valid: [current], replaced: [] })).toEqual(signed());
  });

  it.each([
    ['older', older],
    ['oldest', oldest],
  ])('opens what was under way while the keys were changed: %s', (_, encryptedFor) => {
    const valid = [current, older, oldest];
    expect(openMessage(crypto, payload({ encryptedFor }), { valid, replaced: [] })).toEqual(signed());
  });

  it('tells apart what is for keys that were replaced long ago', () => {
    const open = () =>
      openMessage(crypto, payload({ encryptedFor: oldest }), { valid: [current], replaced: [older, oldest] });
    expect(open).toThrow(KeysReplacedError);
    expect(open).toThrow(/Look the receiver's profile up again/);
    expect(new KeysReplacedError().retryable).toBe(false);
  });

  it.each([
    ['keys that never were', payload({ encryptedFor: oldest }), /not encrypted for the key/],
    [
      'a payload that is none',
      { ...payload(), envelope: { ...payload().envelope, message: '{}' } },
      /not encrypted for/,
    ],
    ['something that is no message', payload({ text: '{"message":"Hi"}' }), /not a dm3 message/],
    ['no JSON', payload({ text: 'Hi' }), /not a dm3 message/],
    ['a message that somebody else signed', payload({ text: stringify(signed(mallory)) }), /signature does not match/],
    ['an envelope that somebody else signed', payload({ envelopeSignedBy: mallory }), /signature does not match/],
    ['a changed text', payload({ text: stringify({ ...signed(), message: 'Hi Dave' }) }), /signature does not match/],
  ])('refuses %s for good', (_, broken, reason) => {
    const open = () => openMessage(crypto, broken, { valid: [current, older], replaced: [] });
    expect(open).toThrow(MessageUnusableError);
    expect(open).toThrow(reason);
    expect(new MessageUnusableError({ reason: 'x' }).retryable).toBe(false);
  });
});
