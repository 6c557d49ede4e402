import { describe, expect, it } from '@jest/globals';
import { ethers as ethers5 } from 'ethers5';
import * as fc from 'fast-check';
import { inDnsForm, itObeysTheLawsOfNames } from '../../../test/support/alias-laws.js';
import { INVISIBLE } from '../invisible.js';
import { emailCodec } from './email.js';

const RUNS = 100_000;

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
const quotable = (unit: 'grapheme' | 'grapheme-ascii') =>
  fc.string({ unit, minLength: 1, maxLength: 20 }).filter((text) => !INVISIBLE.test(text));
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

describe(`${RUNS} email addresses`, () => {
  itObeysTheLawsOfNames({
    codec: emailCodec,
    texts: address,
    runs: RUNS,
    kinds: [
      [/^_x/, 0.2],
      [/^[^_]/, 0.2],
      [/_at\..*_x/, 0.1],
      [/[^\p{ASCII}]/u, 0.1],
      [/^h[a-z2-7]{52}\.email\./, 0.005],
    ],
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
