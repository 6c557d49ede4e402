import { describe, expect, it } from '@jest/globals';
import type { EnsName, Hash } from '../../common/ids.js';
import type { NeutralMessage, NeutralType } from '../adapter/message.js';
import { composeMessage, isLeftOut, type Composition } from './compose.js';
import { ReferenceUnknownError } from './errors.js';

const HASH = `0x${'12'.repeat(32)}` as Hash;

const neutral = (changes: Partial<NeutralMessage> = {}): NeutralMessage => ({
  type: 'new',
  text: 'Hello **Bob**',
  attachments: [],
  sentAt: 1_790_000_000_000,
  ...changes,
});
const compose = (changes: Partial<Composition> = {}) =>
  composeMessage({
    from: 'carol.gateway.eth' as EnsName,
    to: 'bob.eth' as EnsName,
    message: neutral(),
    identity: { verdict: 'verified', detail: 'DKIM pass' },
    reference: null,
    replyToken: 'token',
    ...changes,
  });

describe('composeMessage', () => {
  it('makes a dm3 message that can be answered into its conversation', () => {
    expect(compose()).toEqual({
      message: 'Hello **Bob**',
      metadata: {
        to: 'bob.eth',
        from: 'carol.gateway.eth',
        timestamp: 1_790_000_000_000,
        type: 'NEW',
        replyDeliveryInstruction: 'token',
      },
    });
  });

  it.each<[NeutralType, string]>([
    ['new', 'REPLY'],
    ['reply', 'REPLY'],
    ['edit', 'EDIT'],
    ['reaction', 'REACTION'],
    ['delete', 'DELETE_REQUEST'],
    ['read-received', 'READ_RECEIVED'],
    ['read-opened', 'READ_OPENED'],
  ])('calls a %s about a known message %s', (type, expected) => {
    const { metadata } = compose({ message: neutral({ type }), reference: HASH });
    expect(metadata).toMatchObject({ type: expected, referenceMessageHash: HASH });
    expect(isLeftOut({ type }, HASH)).toBe(false);
  });

  it.each<NeutralType>(['new', 'reply', 'edit', 'reaction'])('calls a %s about nothing that is known NEW', (type) => {
    const { metadata } = compose({ message: neutral({ type }) });
    expect(metadata.type).toBe('NEW');
    expect(metadata).not.toHaveProperty('referenceMessageHash');
    expect(isLeftOut({ type }, null)).toBe(false);
  });

  it.each<[NeutralType, boolean]>([
    ['delete', false],
    ['read-received', true],
    ['read-opened', true],
  ])('makes no empty message of a %s about nothing that is known; left out without a word: %s', (type, leftOut) => {
    expect(() => compose({ message: neutral({ type, text: '' }) })).toThrow(ReferenceUnknownError);
    expect(isLeftOut({ type }, null)).toBe(leftOut);
  });

  it('opens a thread with its subject, in bold and without letting it out of the bold', () => {
    const message = neutral({ subject: 'Re: *free* [money] `now`_' });
    expect(compose({ message }).message).toBe('**Re: \\*free\\* \\[money\\] \\`now\\`\\_**\n\nHello **Bob**');
    expect(compose({ message, reference: HASH }).message).toBe('Hello **Bob**');
    expect(compose({ message: neutral({ subject: '' }) }).message).toBe('Hello **Bob**');
  });

  it.each(['unverified', 'forged'] as const)('marks a sender who is %s in the first line', (verdict) => {
    const identity = { verdict, detail: 'SPF fail' };
    const { message } = compose({ identity, message: neutral({ subject: 'Hi' }) });
    expect(message).toBe('⚠ Unverified sender (SPF fail)\n\n**Hi**\n\nHello **Bob**');
  });

  it('says nothing of the sender of our own notices', () => {
    expect(compose({ identity: null }).message).toBe('Hello **Bob**');
  });

  it('takes attachments along, as bytes or as links', () => {
    const attachments = [
      { name: 'a.txt', mediaType: 'text/plain', content: { bytes: Uint8Array.of(104, 105) } },
      { name: 'page', mediaType: 'text/html', content: { uri: 'https://example.org/' } },
    ];
    expect(compose({ message: neutral({ attachments }) }).attachments).toEqual([
      { name: 'a.txt', data: 'data:text/plain;base64,aGk=' },
      { name: 'page', data: 'https://example.org/' },
    ]);
    expect(compose()).not.toHaveProperty('attachments');
  });
});
