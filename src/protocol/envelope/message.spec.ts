import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import { createNobleProvider } from '../crypto/noble.js';
import { signText } from '../crypto/signature.js';
import { createSodiumProvider } from '../crypto/sodium.js';
import { fromBase64 } from '../encoding/base64.js';
import { toHex } from '../encoding/hex.js';
import { sha256Text, stringify } from '../encoding/stringify.js';
import { toUtf8 } from '../encoding/utf8.js';
import { MalformedMessageError } from './errors.js';
import {
  attachmentsOf,
  type Dm3Message,
  MESSAGE_TYPES,
  messageHash,
  parseMessage,
  signMessage,
  verifyMessage,
} from './message.js';

interface Vector {
  case: string;
  signingKeyPair: { publicKey: string; privateKey: string };
  message: Dm3Message;
  stringify: string;
  messageHashNewest: string;
  getId: string;
}

const require = createRequire(import.meta.url);
const { vectors } = require('../../../test/vectors/message.json') as { vectors: Vector[] };

const unsigned: Omit<Dm3Message, 'signature'> = {
  message: 'text',
  metadata: { to: 'bob.eth', from: 'alice.eth', timestamp: 1, type: 'NEW' },
};
const text = (changes: object, metadata: object = {}): string =>
  JSON.stringify({ ...unsigned, signature: '', ...changes, metadata: { ...unsigned.metadata, ...metadata } });

describe.each([createNobleProvider(), await createSodiumProvider()])('messages with $name', (crypto) => {
  const keys = crypto.signingKeyPairFromSeed(randomBytes(32));

  it.each(vectors)('reads, checks and signs the client library’s $case', ({ message, signingKeyPair, ...vector }) => {
    const parsed = parseMessage(vector.stringify);
    const { signature: _, ...rest } = message;
    expect(parsed).toEqual(message);
    expect(verifyMessage(crypto, parsed, fromBase64(signingKeyPair.publicKey))).toBe(true);
    expect(verifyMessage(crypto, parsed, keys.publicKey)).toBe(false);
    expect(messageHash(crypto, parsed)).toBe(vector.messageHashNewest);
    expect(toHex(crypto.keccak256(toUtf8(stringify(parsed))))).toBe(vector.getId);
    expect(signMessage(crypto, rest, fromBase64(signingKeyPair.privateKey))).toEqual(message);
  });

  it('survives the wire with whatever members it has', () => {
    const message = fc.record(
      {
        message: anyText(),
        attachments: fc.array(fc.oneof(fc.string(), fc.record({ data: fc.string(), more: fc.jsonValue() }))),
        extra: fc.jsonValue(),
        metadata: fc.record({
          to: fc.string({ minLength: 1 }),
          from: fc.string({ minLength: 1 }),
          timestamp: fc.nat(),
          type: fc.constantFrom(...MESSAGE_TYPES),
          unknown: fc.jsonValue(),
        }),
      },
      { requiredKeys: ['metadata'] },
    );
    fc.assert(
      fc.property(message, (value) => {
        const signed = signMessage(crypto, value, keys.privateKey);
        const parsed = parseMessage(stringify(signed));
        expect(verifyMessage(crypto, parsed, keys.publicKey)).toBe(true);
        expect(messageHash(crypto, parsed)).toBe(messageHash(crypto, signed));
      }),
      { numRuns: 30 },
    );
  });

  it('is invalid once anything in it changed', () => {
    const signed = signMessage(crypto, unsigned, keys.privateKey);
    const changed: Dm3Message[] = [
      { ...signed, message: 'test' },
      { ...signed, attachments: [] },
      { ...signed, metadata: { ...signed.metadata, from: 'eve.eth' } },
      { ...signed, metadata: { ...signed.metadata, timestamp: 2 } },
      { ...signed, signature: '' },
    ];
    expect(changed.map((message) => verifyMessage(crypto, message, keys.publicKey))).not.toContain(true);
  });

  it('may be signed over its hash', () => {
    const signature = signText(crypto, keys.privateKey, sha256Text(crypto, stringify(unsigned)));
    expect(verifyMessage(crypto, { ...unsigned, signature }, keys.publicKey)).toBe(true);
  });
});

describe('parseMessage', () => {
  it.each([
    ['no JSON', 'text', 'it is not JSON'],
    ['no object', '[]', 'expected object'],
    ['no signature', text({ signature: undefined }), 'signature'],
    ['a text that is none', text({ message: 1 }), 'message'],
    ['an unknown type', text({}, { type: 'SHOUT' }), 'metadata.type'],
    ['no sender', text({}, { from: '' }), 'metadata.from'],
    ['a time that is no number', text({}, { timestamp: '1' }), 'metadata.timestamp'],
    ['an attachment without data', text({ attachments: [{ name: 'a' }] }), 'attachments.0'],
  ])('refuses %s', (_, wire, reason) => {
    expect(() => parseMessage(wire)).toThrow(MalformedMessageError);
    expect(() => parseMessage(wire)).toThrow(reason);
  });

  it('knows the specification’s read receipt', () => {
    expect(parseMessage(text({}, { type: 'READ_RECEIPT' })).metadata.type).toBe('READ_RECEIPT');
  });
});

describe('attachmentsOf', () => {
  it('gives both forms as objects', () => {
    const attachments = ['https://files.example/1', { name: 'a.txt', data: 'data:,a' }];
    expect(attachmentsOf(parseMessage(text({ attachments })))).toEqual([
      { data: 'https://files.example/1' },
      { name: 'a.txt', data: 'data:,a' },
    ]);
    expect(attachmentsOf(parseMessage(text({})))).toEqual([]);
  });
});
