import { describe, expect, it } from '@jest/globals';
import type { Dm3Message, MessageType } from '../../protocol/envelope/message.js';
import type { Capabilities, CapabilityLevel } from '../adapter/adapter.js';
import { UnsupportedMessageError } from '../adapter/errors.js';
import type { NeutralMessage, NeutralType } from '../adapter/message.js';
import { fitMessage, readMessage } from './read.js';

const message = (changes: Partial<Dm3Message> & { type?: MessageType } = {}): Dm3Message => {
  const { type = 'NEW', ...rest } = changes;
  const metadata = { to: 'carol.eth', from: 'bob.eth', timestamp: 5, type };
  return { message: 'Hi', metadata, signature: 'x', ...rest };
};
const attached = (...attachments: NonNullable<Dm3Message['attachments']>) =>
  readMessage(message({ attachments })).attachments.map(({ content, ...rest }) => ({
    ...rest,
    ...('bytes' in content ? { text: Buffer.from(content.bytes).toString('latin1') } : content),
  }));

describe('readMessage', () => {
  it.each<[MessageType, NeutralType]>([
    ['NEW', 'new'],
    ['REPLY', 'reply'],
    ['EDIT', 'edit'],
    ['REACTION', 'reaction'],
    ['DELETE_REQUEST', 'delete'],
    ['READ_RECEIVED', 'read-received'],
    ['READ_OPENED', 'read-opened'],
    ['READ_RECEIPT', 'read-opened'],
  ])('calls %s %s', (type, expected) => {
    expect(readMessage(message({ type }))).toEqual({ type: expected, text: 'Hi', attachments: [], sentAt: 5 });
  });

  it('refuses what no network has a word for, and takes a missing text for an empty one', () => {
    expect(() => readMessage(message({ type: 'RESEND_REQUEST' }))).toThrow(UnsupportedMessageError);
    expect(readMessage(message({ message: undefined, type: 'DELETE_REQUEST' })).text).toBe('');
  });

  it('reads data URIs in all their forms', () => {
    expect(
      attached(
        { name: 'a.txt', data: 'data:text/plain;base64,aGk=' },
        { data: 'data:TEXT/HTML;charset=utf-8,%3Cp%3E' },
        'data:,plain',
        { name: ' ', data: 'data:image/png;name=x;BASE64,AAEC' },
        'data:text/plain,100%',
      ),
    ).toEqual([
      { name: 'a.txt', mediaType: 'text/plain', text: 'hi' },
      { name: 'attachment-2', mediaType: 'text/html', text: '<p>' },
      { name: 'attachment-3', mediaType: 'application/octet-stream', text: 'plain' },
      { name: 'attachment-4', mediaType: 'image/png', text: '\u0000\u0001\u0002' },
      { name: 'attachment-5', mediaType: 'text/plain', text: '100%' },
    ]);
  });

  it('passes links on and never fetches them', () => {
    expect(attached('https://example.org/a.pdf', { name: 'b', data: 'ipfs://cid' })).toEqual([
      { name: 'attachment-1', mediaType: 'application/octet-stream', uri: 'https://example.org/a.pdf' },
      { name: 'b', mediaType: 'application/octet-stream', uri: 'ipfs://cid' },
    ]);
  });
});

describe('fitMessage', () => {
  const TYPES: NeutralType[] = ['new', 'reply', 'edit', 'reaction', 'delete', 'read-received', 'read-opened'];
  const can = (level: CapabilityLevel, changes: Partial<Capabilities> = {}): Capabilities => ({
    types: Object.fromEntries(TYPES.map((type) => [type, level])) as Capabilities['types'],
    attachments: 'full',
    maxAttachmentBytes: 10,
    maxTextBytes: 100,
    ...changes,
  });
  const neutral = (changes: Partial<NeutralMessage> = {}): NeutralMessage => ({
    type: 'reaction',
    text: '👍',
    attachments: [],
    sentAt: 5,
    ...changes,
  });
  const file = (bytes: number) => ({ name: 'a.bin', mediaType: 'x/y', content: { bytes: new Uint8Array(bytes) } });
  const link = { name: 'page', mediaType: 'x/y', content: { uri: 'https://example.org/' } };

  it.each(['full', 'partial'] as const)('leaves a message alone where the network carries it: %s', (level) => {
    for (const type of TYPES) expect(fitMessage(neutral({ type }), can(level))).toEqual(neutral({ type }));
  });

  it('leaves out what the network leaves out by rule', () => {
    for (const type of TYPES) expect(fitMessage(neutral({ type }), can('dropped'))).toBeNull();
  });

  it.each<[NeutralType, RegExp]>([
    ['delete', /cannot be taken back/],
    ['edit', /cannot be changed/],
    ['reaction', /knows no reactions/],
    ['read-opened', /has no word for it/],
  ])('refuses a %s where the network does, in words for its author', (type, reason) => {
    expect(() => fitMessage(neutral({ type }), can('rejected'))).toThrow(UnsupportedMessageError);
    expect(() => fitMessage(neutral({ type }), can('rejected'))).toThrow(reason);
  });

  it.each<[NeutralType, string]>([
    ['new', 'hi'],
    ['reply', 'hi'],
    ['edit', 'Edited:\n\nhi'],
    ['reaction', 'Reacted with hi'],
    ['delete', 'Deleted an earlier message.'],
    ['read-received', 'Received your message.'],
    ['read-opened', 'Read your message.'],
  ])('says a %s in words where the network takes only words', (type, text) => {
    expect(fitMessage(neutral({ type, text: 'hi' }), can('fallback'))).toEqual(neutral({ type: 'reply', text }));
  });

  it('counts bytes, of the words that are sent', () => {
    const ends = (text: string) => () => fitMessage(neutral({ type: 'edit', text }), can('fallback'));
    expect(ends('x'.repeat(91))).not.toThrow();
    expect(ends('x'.repeat(92))).toThrow('longer than the 100 bytes');
    expect(() => fitMessage(neutral({ text: '👍'.repeat(26) }), can('full'))).toThrow('longer than');
  });

  it('counts the bytes of all attachments together, and none of links', () => {
    const fits = neutral({ attachments: [file(4), file(6), link] });
    expect(fitMessage(fits, can('full'))).toEqual(fits);
    const tooMany = neutral({ attachments: [file(5), file(6)] });
    expect(() => fitMessage(tooMany, can('full'))).toThrow('have 11 bytes; the receiver');
  });

  it('does with attachments what the network can', () => {
    const sent = neutral({ text: 'see', attachments: [file(3), link] });
    expect(fitMessage(sent, can('full', { attachments: 'dropped' }))).toEqual(neutral({ text: 'see' }));
    expect(fitMessage(sent, can('full', { attachments: 'fallback' }))).toEqual(
      neutral({ text: 'see\n\n[a.bin, 3 bytes, cannot be shown here]\n\npage: https://example.org/' }),
    );
    expect(() => fitMessage(sent, can('full', { attachments: 'rejected' }))).toThrow('takes no attachments');
    expect(fitMessage(neutral(), can('full', { attachments: 'rejected' }))).toEqual(neutral());
  });
});
