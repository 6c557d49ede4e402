import { describe, expect, it } from '@jest/globals';
import { AliasLabelsError, InvalidForeignAddressError } from './codec.js';
import { xmtpCodec } from './xmtp.js';

const { canonical, encode, decode } = xmtpCodec;
const ADDRESS = '0xd8da6bf26964af9d7eed9e03e53415d37aa96045';
const INBOX = '00ff'.repeat(16);
const INBOX_LABEL = 'ad7qb7ya74ap6ah7ad7qb7ya74ap6ah7ad7qb7ya74ap6ah7ad7q';

describe('xmtpCodec', () => {
  it.each([
    [ADDRESS, `xmtp:${ADDRESS}`],
    ['0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045', `xmtp:${ADDRESS}`],
    [`XMTP:${ADDRESS}`, `xmtp:${ADDRESS}`],
    [INBOX.toUpperCase(), `xmtp:${INBOX}`],
  ])('takes %s for %s', (text, address) => {
    expect(canonical(text)).toBe(address);
    expect(canonical(canonical(text))).toBe(address);
  });

  it.each([
    '',
    'xmtp:',
    '0x',
    `${ADDRESS}0`,
    ADDRESS.slice(0, -1),
    ADDRESS.slice(2),
    `0x${INBOX}`,
    'bob.eth',
    ` ${ADDRESS}`,
  ])('refuses %j', (text) => {
    expect(() => canonical(text)).toThrow(InvalidForeignAddressError);
    expect(() => canonical(text)).toThrow('neither an Ethereum address');
  });

  it.each([
    [ADDRESS, ADDRESS],
    [INBOX, `_inbox.${INBOX_LABEL}`],
  ])('spells %s, and reads it back', (text, labels) => {
    expect(encode(canonical(text)).join('.')).toBe(labels);
    expect(decode(labels.split('.'))).toBe(canonical(text));
  });

  it.each([
    ['capitals', ADDRESS.toUpperCase().replace('0X', '0x'), ADDRESS],
    ['an inbox id in two labels', `_inbox.${INBOX_LABEL.slice(0, 20)}.${INBOX_LABEL.slice(20)}`, INBOX],
  ])('refuses %s and says who is meant', (_, labels, meant) => {
    const refusal = { reason: 'is not the canonical spelling', address: canonical(meant) };
    expect(() => decode(labels.split('.'))).toThrow(expect.objectContaining(refusal));
  });

  it.each([
    ['a name', 'bob', 'is neither'],
    ['an address below another', `a.${ADDRESS}`, 'is neither'],
    ['no inbox id', '_inbox', 'has no inbox id'],
    ['an inbox id of 31 bytes', '_inbox.ad7qb7ya74ap6ah7ad7qb7ya74ap6ah7ad7qb7ya74ap6ah7', 'has no inbox id'],
    ['stray bits', `_inbox.${INBOX_LABEL.slice(0, -1)}r`, 'has no inbox id'],
  ])('refuses %s', (_, labels, reason) => {
    expect(() => decode(labels.split('.'))).toThrow(AliasLabelsError);
    expect(() => decode(labels.split('.'))).toThrow(reason);
  });
});
