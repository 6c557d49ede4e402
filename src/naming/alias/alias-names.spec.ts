import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { EnsName, ForeignAddress, NetworkId } from '../../common/ids.js';
import { dnsEncodedLength, normaliseName } from '../ens-name.js';
import { AliasNameError, AliasNames } from './alias-names.js';
import { encodeBase32 } from './base32.js';
import { InvalidForeignAddressError, type AliasCodec } from './codec.js';
import { emailCodec } from './email.js';
import { escapeText } from './escape.js';

/** A second network, to see that they do not get in each other's way. */
const pigeonCodec: AliasCodec = {
  network: 'pigeon' as NetworkId,
  scheme: 'pigeon:',
  canonical: (address) => address as ForeignAddress,
  encode: (address) => [address.slice('pigeon:'.length)],
  decode: ([label]) => `pigeon:${label}` as ForeignAddress,
};

const aliases = new AliasNames({ rootName: 'gateway.eth' as EnsName, codecs: [emailCodec, pigeonCodec] });
const parse = (name: string) => aliases.parse(normaliseName(name));

function refusalOf(name: string): AliasNameError {
  try {
    parse(name);
  } catch (error) {
    if (error instanceof AliasNameError) return error;
  }
  throw new Error(`${name} was not refused`);
}

describe('AliasNames', () => {
  it('gives each network its own names', () => {
    const alice = emailCodec.canonical('Alice@example.com');
    expect(aliases.nameOf(alice)).toBe('alice._at.example.com.email.gateway.eth');
    expect(aliases.nameOf('pigeon:coo' as ForeignAddress)).toBe('coo.pigeon.gateway.eth');
    expect(parse('Alice._at.Example.com.email.gateway.eth')).toEqual({
      kind: 'address',
      network: 'email',
      address: alice,
    });
    expect(parse('coo.pigeon.gateway.eth')).toEqual({ kind: 'address', network: 'pigeon', address: 'pigeon:coo' });
  });

  it('knows the network and the canonical form of an address', () => {
    const address = 'mailto:Alice@Example.com' as ForeignAddress;
    expect(aliases.canonical(address)).toBe('mailto:alice@example.com');
    expect(aliases.networkOf(address)).toBe('email');
  });

  it('refuses addresses of networks it does not have', () => {
    const address = 'xmpp:alice@example.com' as ForeignAddress;
    expect(() => aliases.nameOf(address)).toThrow(InvalidForeignAddressError);
    expect(() => aliases.nameOf(address)).toThrow('belongs to no network');
  });

  it.each([
    'gateway.eth',
    'email.gateway.eth',
    'ds.gateway.eth',
    'alice.ds.gateway.eth',
    'alice._at.example.com.email.other.eth',
    'alice._at.example.com.email.notgateway.eth',
    '0xab5801a7d398351b8be11c439e05c5b3259aec9b.addr.gateway.eth',
    'alice.eth',
  ])('has nothing to say about %s', (name) => {
    expect(parse(name)).toBeNull();
  });

  it('tells what lies below the root', () => {
    expect(aliases.isUnderRoot('a.gateway.eth' as EnsName)).toBe(true);
    expect(aliases.isUnderRoot('gateway.eth' as EnsName)).toBe(false);
    expect(aliases.isUnderRoot('a.notgateway.eth' as EnsName)).toBe(false);
  });

  it('refuses a name that is not the canonical one, and says which is', () => {
    const error = refusalOf(`${escapeText('alice').join('.')}._at.example.com.email.gateway.eth`);
    expect(error).toMatchObject({ code: 'ALIAS_NAME_INVALID', canonical: 'alice._at.example.com.email.gateway.eth' });
    expect(error.message).toContain('Write "alice._at.example.com.email.gateway.eth".');
  });

  it.each(['alice.email.gateway.eth', '_xfvqqaa._at.x.org.email.gateway.eth', 'a._at.192.0.2.1.email.gateway.eth'])(
    'refuses %s, which means nobody',
    (name) => {
      expect(refusalOf(name).canonical).toBeNull();
      expect(refusalOf(name).message).not.toContain('Write');
    },
  );

  it('does not hide bugs of a codec', () => {
    const broken = {
      ...pigeonCodec,
      decode: () => {
        throw new RangeError('bug');
      },
    };
    const names = new AliasNames({ rootName: 'gateway.eth' as EnsName, codecs: [broken] });
    expect(() => names.parse('a.pigeon.gateway.eth' as EnsName)).toThrow(RangeError);
    expect(() => names.accepts('a.pigeon.gateway.eth' as EnsName)).toThrow(RangeError);
  });

  it.each([
    ['alice._at.example.com.email.gateway.eth', true],
    ['alice.email.gateway.eth', false],
    ['ds.gateway.eth', false],
    ['bob.gnosis.eth', true],
  ])('accepts %s: %s', (name, accepted) => {
    expect(aliases.accepts(normaliseName(name))).toBe(accepted);
  });
});

describe('names of addresses that are too long', () => {
  const domain = `${`${'d'.repeat(55)}.`.repeat(3)}org`;
  const nameOf = (local: string) => aliases.nameOf(emailCodec.canonical(`${local}@${domain}`));

  it('are hashes from 256 bytes on', () => {
    const room = 255 - dnsEncodedLength(nameOf('a'));
    const longest = nameOf('a'.repeat(1 + room));
    expect(dnsEncodedLength(longest)).toBe(255);
    expect(aliases.parse(longest)?.kind).toBe('address');
    expect(aliases.parse(nameOf('a'.repeat(2 + room)))?.kind).toBe('hashed');
  });

  it('are h and the base32 of the SHA-256 of the address', () => {
    const long = emailCodec.canonical(`${'+'.repeat(60)}@${domain}`);
    const digest = createHash('sha256').update(long).digest();
    const name = aliases.nameOf(long);
    expect(name).toBe(`h${encodeBase32(digest)}.email.gateway.eth`);
    expect(name).toMatch(/^h[a-z2-7]{52}\./);
    expect(aliases.parse(name)).toEqual({ kind: 'hashed', network: 'email', name });
  });

  it.each([
    ['a digit less', `h${'a'.repeat(51)}`],
    ['a digit more', `h${'a'.repeat(53)}`],
    ['stray bits', `h${'a'.repeat(51)}b`],
    ['another letter in front', `g${'a'.repeat(52)}`],
  ])('are not hashes with %s', (_, label) => {
    expect(refusalOf(`${label}.email.gateway.eth`).canonical).toBeNull();
  });
});
