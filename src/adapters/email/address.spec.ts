import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { EnsName, EthAddress } from '../../common/ids.js';
import {
  asciiDomain,
  encodeLocal,
  formatMailbox,
  isMailto,
  parseMailbox,
  parseRecipient,
  senderMailbox,
  toForeign,
  toWirePath,
} from './address.js';

const DOMAINS = ['mail.test', 'xn--bcher-kva.test'];
const receiverOf = (path: string) => {
  const recipient = parseRecipient(path, DOMAINS);
  return recipient.kind === 'name' ? recipient.receiver : recipient.kind;
};
const refusalOf = (path: string) => {
  try {
    return receiverOf(path);
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('parseRecipient', () => {
  it.each([
    ['bob.eth@mail.test', 'bob.eth'],
    ['bob.eth@MAIL.test', 'bob.eth'],
    ['bob.eth+news@mail.test', 'bob.eth'],
    ['"bob.eth"@mail.test', 'bob.eth'],
    [String.raw`"bob\.eth"@mail.test`, 'bob.eth'],
    ['xn--9s9h.eth@mail.test', '🦊.eth'],
    ['XN--9s9h.sub.eth@mail.test', '🦊.sub.eth'],
    ['🦊.eth@mail.test', '🦊.eth'],
    [`0x${'aB'.repeat(20)}@mail.test`, `0x${'aB'.repeat(20)}`],
    ['bob.eth@bücher.test', 'bob.eth'],
    ['alice._at.example.com.email.gw.eth@mail.test', 'alice._at.example.com.email.gw.eth'],
  ])('%s means %s', (path, receiver) => {
    expect(receiverOf(path)).toBe(receiver);
  });

  it.each(['postmaster', 'Postmaster@mail.test', 'ABUSE@mail.test', 'abuse+spam@mail.test'])(
    '%s is the operator',
    (path) => {
      expect(receiverOf(path)).toBe('operator');
    },
  );

  it('recognises a bounce address', () => {
    expect(parseRecipient('b+abc234@mail.test', DOMAINS)).toEqual({
      kind: 'bounce',
      token: 'abc234',
      domain: 'mail.test',
    });
  });

  it.each([
    ['bob.eth@elsewhere.test', 'RELAY_DENIED'],
    ['bob.eth', 'RELAY_DENIED'],
    ['@mail.test', 'RELAY_DENIED'],
    ['""@mail.test', 'BAD_ADDRESS'],
    [`${'a'.repeat(61)}.eth@mail.test`, 'BAD_ADDRESS'],
    ['"bob\r\n.eth"@mail.test', 'BAD_ADDRESS'],
    ['xn--\u{1f98a}.eth@mail.test', 'BAD_ADDRESS'],
    ['noreply@mail.test', 'NO_MAILBOX'],
    ['bob@mail.test', 'NO_MAILBOX'],
    ['0x1234@mail.test', 'NO_MAILBOX'],
  ])('refuses %j with %s', (path, code) => {
    expect(refusalOf(path)).toBe(code);
  });

  it('tells what to write where the ending is missing', () => {
    expect(() => parseRecipient('Bob@mail.test', DOMAINS)).toThrow('bob.eth@mail.test');
  });

  it('finds the name again that senderMailbox hides in ASCII', () => {
    const label = fc.string({
      unit: fc.constantFrom('a', 'z', '0', '-', 'ö', 'я', '日', '🦊', '\u200d'),
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(label, (label) => {
        const local = encodeLocal(`${label}.eth`);
        fc.pre(local !== null && !label.startsWith('xn--'));
        expect(local).toMatch(/^[\x21-\x7e]+$/);
        expect(receiverOf(`${local}@mail.test`)).toBe(`${label}.eth`);
      }),
    );
  });
});

describe('senderMailbox', () => {
  const address = `0x${'1'.repeat(40)}` as EthAddress;
  const of = (name: string) => senderMailbox({ name: name as EnsName, address }, 'mail.test');

  it('uses the name, in punycode where it must', () => {
    expect(of('bob.eth')).toEqual({ name: 'bob.eth', address: 'bob.eth@mail.test' });
    expect(of('🦊.eth')).toEqual({ name: '🦊.eth', address: 'xn--9s9h.eth@mail.test' });
  });

  it('falls back to the Ethereum address where the name is too long or no local part', () => {
    expect(of(`${'long.'.repeat(14)}eth`).address).toBe(`${address}@mail.test`);
    expect(of('bob jones.eth').address).toBe(`${address}@mail.test`);
  });

  it('never shows another address as a name', () => {
    expect(of('alice@bank.com').name).toBe(address);
  });
});

describe('mailboxes outside', () => {
  it('are written as mailto addresses', () => {
    const address = toForeign('alice@example.com');
    expect(address).toBe('mailto:alice@example.com');
    expect(isMailto(address)).toBe(true);
    expect(formatMailbox(address)).toBe('alice@example.com');
  });

  it.each([
    ['alice@example.com', 'alice@example.com'],
    ['alice@BÜCHER.example', 'alice@xn--bcher-kva.example'],
    ['jürgen@example.com', 'jürgen@example.com'],
    ['a b@example.com', '"a b"@example.com'],
    ['a"b\\c@example.com', String.raw`"a\"b\\c"@example.com`],
    ['.dot@example.com', '".dot"@example.com'],
  ])('%s goes over the wire as %s', (mailbox, path) => {
    expect(toWirePath(mailbox)).toBe(path);
  });

  it.each([
    'a@b.test\r\nRCPT TO:<z@z.test>',
    'a\0b@c.test',
    'alice',
    '@example.com',
    'a@b@example.com',
    'a<b>@example.com',
    'alice@exa mple.com',
    'alice@[127.0.0.1]',
    `${'a'.repeat(65)}@example.com`,
    'alice@',
  ])('refuses %j', (mailbox) => {
    expect(parseMailbox(mailbox)).toBeNull();
    expect(() => toWirePath(mailbox)).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS', retryable: false }));
  });

  it('never lets a second address or a line end through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 15 }), fc.domain(), (local, domain) => {
        const text = `${local}@${domain}`;
        fc.pre(parseMailbox(text) !== null);
        const path = toWirePath(text);
        expect(path).not.toMatch(/[\r\n<>]/);
        expect(path.split('@')).toHaveLength(2);
        expect(asciiDomain(path)).toBe(asciiDomain(text));
      }),
    );
  });
});
