import { ens_normalize } from '@adraffy/ens-normalize';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../test/support/any-text.js';
import { howOften } from '../../test/support/how-often.js';
import type { EnsName } from '../common/ids.js';
import {
  addressNameOf,
  dnsEncodedLength,
  InvalidNameError,
  isEnsip15,
  labelsOf,
  normaliseName,
  parseAddressName,
  tryNormaliseName,
} from './ens-name.js';
import { parseEthAddress } from '../common/ids.js';

function isTaken(name: string): boolean {
  try {
    return ens_normalize(name) === name;
  } catch {
    return false;
  }
}

const ADDRESS = '0xAb5801a7D398351b8bE11C439e05C5B3259aeC9B';

describe('normaliseName', () => {
  it.each([
    ['Bob.ETH', 'bob.eth'],
    ['eth', 'eth'],
    ['faß.eth', 'faß.eth'],
    ['🦊\u{fe0f}.eth', '🦊.eth'],
    ['alice._at.example.com.email.gateway.eth', 'alice._at.example.com.email.gateway.eth'],
  ])('follows ENSIP-15: %s', (text, name) => {
    expect(normaliseName(text)).toBe(name);
  });

  it.each([
    ['A_b.eth', 'a_b.eth', 'an underscore inside'],
    ['XN--9S9H.eth', 'xn--9s9h.eth', 'punycode'],
    ['р\u0430ypal.ETH', 'р\u0430ypal.eth', 'mixed scripts'],
  ])('lower-cases %s, which ENSIP-15 refuses and nameprep takes (%#)', (text, name) => {
    expect(isEnsip15(text.toLowerCase())).toBe(false);
    expect(normaliseName(text)).toBe(name);
  });

  it.each([
    ['', 'is empty'],
    ['a..eth', 'empty label'],
    ['.eth', 'empty label'],
    ['bob.eth.', 'empty label'],
    ['bob smith.eth', 'disallowed character'],
    ['bob@example.com', 'disallowed character'],
    ['a+b.eth', 'disallowed character'],
    ['bob\u202e.eth', 'disallowed character'],
    ['bob\r\n.eth', 'disallowed character'],
    ['a_b', 'underscore allowed only at start'],
    ['a_🦊.eth', 'underscore allowed only at start'],
    [`${'a'.repeat(63)}.`.repeat(4), 'more than 255 bytes'],
    ['x'.repeat(1_000_000), 'more than 255 bytes'],
    [`${'½'.repeat(60)}.eth`, 'more than 255 bytes'],
  ])('refuses %j', (text, reason) => {
    expect(() => normaliseName(text)).toThrow(InvalidNameError);
    expect(() => normaliseName(text)).toThrow(reason);
    expect(tryNormaliseName(text)).toBeNull();
  });

  it('keeps what it made', () => {
    const text = fc.oneof(fc.domain(), anyText(), fc.string({ unit: 'grapheme' }));
    fc.assert(
      fc.property(text, (label) => {
        const name = tryNormaliseName(`${label}.eth`);
        fc.pre(name !== null);
        expect(normaliseName(name)).toBe(name);
      }),
      { numRuns: howOften(2_000, 400) },
    );
  });

  it('makes of plain names what ENSIP-15 does', () => {
    const plain = fc.stringMatching(/^(_{0,3}[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,3}\.){0,3}_{0,3}[a-z0-9]{1,9}$/);
    fc.assert(fc.property(plain, (name) => expect(normaliseName(name)).toBe(ens_normalize(name))));
    for (const odd of ['a_b', 'a--b', 'ab--c.eth', 'a-', '-a', 'a..b']) {
      expect(isEnsip15(odd)).toBe(isTaken(odd));
    }
  });

  it('answers with one short line whatever it was given', () => {
    const error = thrownBy(() => normaliseName(`a\r\n250 ok ${'x'.repeat(500)}`));
    expect(error).toMatchObject({ code: 'INVALID_NAME', kind: 'invalid-input', retryable: false });
    expect(error.message).not.toMatch(/[\r\n]/);
    expect(error.message.length).toBeLessThan(250);
  });
});

describe('names of addresses', () => {
  const address = parseEthAddress(ADDRESS)!;

  it('reads what it writes, below any suffix', () => {
    const name = addressNameOf(address, 'gateway.eth' as EnsName);
    expect(name).toBe(`${ADDRESS.toLowerCase()}.addr.gateway.eth`);
    expect(parseAddressName(name)).toBe(address);
    expect(parseAddressName(normaliseName(`${ADDRESS}.addr.dm3.eth`))).toBe(address);
  });

  it.each([
    `${ADDRESS}.eth`,
    `${ADDRESS}.addr`,
    `${ADDRESS}.user.dm3.eth`,
    `x.${ADDRESS}.addr.eth`,
    '0x12.addr.dm3.eth',
    'eth',
  ])('takes %s for an ordinary name', (text) => {
    expect(parseAddressName(normaliseName(text))).toBeNull();
  });
});

it('measures names as DNS writes them', () => {
  expect(dnsEncodedLength('bob.eth')).toBe('\x03bob\x03eth\x00'.length);
  expect(dnsEncodedLength('🦊.eth')).toBe(1 + 4 + 1 + 3 + 1);
  expect(labelsOf('a.b.eth' as EnsName)).toEqual(['a', 'b', 'eth']);
});

function thrownBy(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}
