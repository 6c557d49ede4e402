import { describe, expect, it } from '@jest/globals';
import { ensNormalize, namehash } from 'ethers';
import { ethers as ethers5 } from 'ethers5';
import * as fc from 'fast-check';
import type { EnsName } from '../../common/ids.js';
import { dnsEncodedLength, labelsOf } from '../ens-name.js';
import { AliasNames } from './alias-names.js';
import { emailCodec } from './email.js';

const RUNS = 100_000;
const aliases = new AliasNames({ rootName: 'gateway.eth' as EnsName, codecs: [emailCodec] });

const alphanumerics = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
const word = fc.string({ unit: fc.constantFrom(...alphanumerics), minLength: 1, maxLength: 8 });
const joinedBy = (joints: string[], parts: fc.Arbitrary<string>, most = 6) =>
  fc
    .array(fc.tuple(fc.constantFrom(...joints), parts), { minLength: 1, maxLength: most })
    .map((pieces) => pieces.map(([joint, part]) => joint + part).join(''));

const readable = fc.tuple(word, joinedBy(['.', '-', '+', '_', ''], word)).map(([head, tail]) => head + tail);
const odd = fc.string({
  unit: fc.constantFrom('a', 'B', '7', '.', '-', '--', '+', '_', "'", '=', '!', '%'),
  maxLength: 24,
});
const unprintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;
const quotable = (unit: 'grapheme' | 'grapheme-ascii') =>
  fc.string({ unit, minLength: 1, maxLength: 20 }).filter((text) => !unprintable.test(text));
const quoted = fc
  .oneof(quotable('grapheme-ascii'), quotable('grapheme'))
  .map((text) => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`);
const utf8 = fc.string({ unit: fc.constantFrom(...'äÖßéñøŁжЩλς例え用户שلا🦊❤'), minLength: 1, maxLength: 16 });
const long = fc.string({ unit: fc.constantFrom('x', '9', '-', '_', '+', '.'), minLength: 55, maxLength: 64 });

const ldh = joinedBy(['', '-', '--', '---'], word, 4);
const idn = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'aozäöüßéñøłčşı'), minLength: 1, maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(...'абвгдежзийієў'), minLength: 1, maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(...'αβγδεσςώ'), minLength: 1, maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(...'例えばテスト中国한국어ー'), minLength: 1, maxLength: 18 }),
  fc.string({ unit: fc.constantFrom(...'אבגדשלום'), minLength: 1, maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(...'aвλ🦊♥☺例é'), minLength: 1, maxLength: 6 }),
);
const domainOf = (label: fc.Arbitrary<string>, most: number) =>
  fc.tuple(
    fc.array(label, { minLength: 1, maxLength: most }),
    fc.constantFrom('com', 'org', 'co.uk', 'email', 'рф', 'localhost'),
  );
const domain = fc
  .oneof(
    { weight: 5, arbitrary: domainOf(word, 3) },
    { weight: 2, arbitrary: domainOf(ldh, 3) },
    { weight: 3, arbitrary: domainOf(idn, 2) },
    { weight: 1, arbitrary: domainOf(fc.constantFrom('a'.repeat(40), 'a--b'.repeat(10), 'b'.repeat(63), 'c-'), 5) },
  )
  .map(([labels, suffix]) => [...labels, suffix].join('.'));

const local = fc.oneof({ weight: 4, arbitrary: readable }, odd, quoted, utf8, long);
const address = fc.tuple(local, domain).map((parts) => parts.join('@'));

/** Null for the few that are no addresses (`--a.com`, more than 64 octets). */
function canonicalOrNull(text: string) {
  try {
    return emailCodec.canonical(text);
  } catch {
    return null;
  }
}

describe(`${RUNS} email addresses`, () => {
  const texts = fc.sample(address, { numRuns: RUNS, seed: 20_261_123 });
  const addresses = [...new Set(texts.map(canonicalOrNull))].filter((canonical) => canonical !== null);
  const names = addresses.map((canonical) => aliases.nameOf(canonical));

  it('are many different ones, of all kinds', () => {
    expect(addresses.length).toBeGreaterThan(RUNS / 2);
    expect(addresses.filter((canonical) => emailCodec.canonical(canonical) !== canonical)).toEqual([]);
    const share = (pattern: RegExp) => names.filter((name) => pattern.test(name)).length / names.length;
    expect(share(/^_x/)).toBeGreaterThan(0.2);
    expect(share(/^[^_]/)).toBeGreaterThan(0.2);
    expect(share(/_at\..*_x/)).toBeGreaterThan(0.1);
    expect(share(/[^\p{ASCII}]/u)).toBeGreaterThan(0.1);
    expect(share(/^h[a-z2-7]{52}\.email\./)).toBeGreaterThan(0.005);
  });

  it('come back from their names', () => {
    const lost = addresses.filter((canonical, index) => {
      const alias = aliases.parse(names[index]!)!;
      return alias.kind === 'address'
        ? alias.address !== canonical
        : emailCodec.decode(emailCodec.encode(canonical)) !== canonical;
    });
    expect(lost).toEqual([]);
  });

  it('have a name each', () => {
    expect(new Set(names).size).toBe(addresses.length);
  });

  it('have names that ENSIP-15 keeps and DNS form holds', () => {
    const labelBytes = names.flatMap((name) => labelsOf(name).map((label) => Buffer.byteLength(label)));
    expect(Math.max(...new Set(labelBytes))).toBeLessThanOrEqual(63);
    expect(Math.max(...new Set(names.map(dnsEncodedLength)))).toBeLessThanOrEqual(255);
    expect(names.filter((name) => ensNormalize(name) !== name)).toEqual([]);
  });

  it('have names that dm3 clients keep: nameprep, and the hashing of ethers 5', () => {
    const { nameprep, dnsEncode, namehash: namehash5 } = ethers5.utils;
    const labels = patternsOf(names.flatMap(labelsOf));
    expect(labels.filter((label) => nameprep(label) !== label)).toEqual([]);
    // Shows what namehash would hash, without the cost of hashing.
    expect(labels.filter((label) => dnsEncode(label) !== inDnsForm(label))).toEqual([]);
    // Clients prepare and hash whole names, which is slower and, where hyphens are concerned, laxer: a sample will do.
    const sample = names.filter((_, index) => index % 100 === 0);
    expect(sample.filter((name) => nameprep(name) !== name)).toEqual([]);
    expect(sample.filter((name) => namehash5(name) !== namehash(name))).toEqual([]);
  });

  it('owe nothing to single letters and digits, which dm3 clients keep one like the other', () => {
    const { nameprep, dnsEncode } = ethers5.utils;
    for (const char of alphanumerics) {
      for (const label of [char, `_x${char}`, `${char}-${char}`]) {
        expect([nameprep(label), dnsEncode(label)]).toEqual([label, inDnsForm(label)]);
      }
    }
  });
});

/**
 * Every label beyond ASCII; of the others one for each pattern of hyphens and underscores, since what happens to an
 * ASCII letter or digit depends on nothing beside it (RFC 3491: tables of single code points).
 */
function patternsOf(labels: readonly string[]): string[] {
  const isAscii = (label: string) => /^\p{ASCII}*$/u.test(label);
  const distinct = [...new Set(labels)];
  return [...new Set(distinct.map((label) => (isAscii(label) ? label.replaceAll(/[a-z0-9]/g, 'a') : label)))];
}

function inDnsForm(label: string): string {
  const bytes = Buffer.from(label);
  return `0x${Buffer.from([bytes.length, ...bytes, 0]).toString('hex')}`;
}
