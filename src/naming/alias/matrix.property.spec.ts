import { describe } from '@jest/globals';
import * as fc from 'fast-check';
import { itObeysTheLawsOfNames } from '../../../test/support/alias-laws.js';
import { matrixCodec } from './matrix.js';

const RUNS = 20_000;

const text = (units: string, minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...units), minLength, maxLength, size: 'max' });

const local = fc.oneof(
  { weight: 4, arbitrary: text('abcxyz0129._-', 1, 16) },
  { weight: 2, arbitrary: text('abz09._=-/+', 1, 24) },
  { weight: 1, arbitrary: text('aBcXyZ!#$%&\'*?@[]^`{|}~"\\ ', 1, 16) },
  { weight: 1, arbitrary: text('äÖßéжЩλς例え用户שلا🦊❤', 1, 12) },
  { weight: 1, arbitrary: text('x9-_+.', 60, 200) },
);
const host = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('hs.org', 'matrix.example.com', 'localhost', 'chat.r3---sn.example') },
  { weight: 2, arbitrary: fc.tuple(text('abc09-', 1, 20), text('xyz', 2, 6)).map((labels) => labels.join('.')) },
  { weight: 1, arbitrary: fc.constantFrom('HS.org', 'xn--bcher-kva.example', 'xn--p1ai', 'xn--a.example') },
  { weight: 1, arbitrary: fc.constantFrom(`${'d'.repeat(63)}.example`, `${'a--b'.repeat(12)}.org`) },
);
const server = fc.tuple(host, fc.constantFrom('', '', '', ':8448', ':1')).map((parts) => parts.join(''));
const named = fc.tuple(fc.constantFrom('@', '#'), local, server).map(([sigil, name, at]) => `${sigil}${name}:${at}`);
const roomId = fc.oneof(
  fc.tuple(text('abcXYZ019', 18, 18), server).map(([opaque, at]) => `!${opaque}:${at}`),
  text('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_', 43, 43).map((opaque) => `!${opaque}`),
  text('aB9:/', 60, 200).map((opaque) => `!${opaque}`),
);

describe(`${RUNS} ids of Matrix`, () => {
  itObeysTheLawsOfNames({
    codec: matrixCodec,
    texts: fc.oneof({ weight: 4, arbitrary: named }, roomId),
    runs: RUNS,
    kinds: [
      [/^[^_]/, 0.1],
      [/^_x/, 0.1],
      [/^_room\.[^_]/, 0.05],
      [/^_room\._x/, 0.05],
      [/^_roomid\._x/, 0.1],
      [/\._port\.8448\./, 0.05],
      [/[^\p{ASCII}]/u, 0.02],
      [/^h[a-z2-7]{52}\.matrix\./, 0.02],
    ],
  });
});
