import * as fc from 'fast-check';

const TOKENS = [
  '\r\n',
  '\r\n\r\n',
  '\r\n ',
  '--',
  '"',
  '<',
  ';',
  '=?utf-8?B?',
  '?=',
  '=0D=0A',
  'Content-Type: text/html\r\n',
];

interface Mutation {
  readonly at: number;
  /** How many bytes go. */
  readonly cut: number;
  readonly insert: Uint8Array;
}

const nothing = fc.constant(new Uint8Array());
const noise = fc.uint8Array({ minLength: 1, maxLength: 3 });
const token = fc.constantFrom(...TOKENS).map((text) => new Uint8Array(Buffer.from(text)));
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ at: fc.nat(4_000), cut: fc.constant(1), insert: noise }),
  fc.record({ at: fc.nat(4_000), cut: fc.nat(500), insert: nothing }),
  fc.record({ at: fc.nat(4_000), cut: fc.constant(0), insert: token }),
);

/** Real mails with one to eight wounds, every second one with its line ends made good again. */
export function mutatedMail(mails: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const mutations = fc.array(mutation, { minLength: 1, maxLength: 8 });
  return fc
    .record({ mail: fc.constantFrom(...mails), mutations, mended: fc.boolean() })
    .map(({ mail, mutations, mended }) => {
      const wounded = mutations.reduce(apply, mail);
      return mended ? Buffer.from(wounded.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n'), 'latin1') : wounded;
    });
}

function apply(mail: Buffer, { at, cut, insert }: Mutation): Buffer {
  const start = at % Math.max(mail.length, 1);
  return Buffer.concat([mail.subarray(0, start), insert, mail.subarray(start + cut)]);
}
