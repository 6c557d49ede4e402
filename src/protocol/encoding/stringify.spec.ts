import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createNobleProvider } from '../crypto/noble.js';
import { createSodiumProvider } from '../crypto/sodium.js';
import { UnserialisableError } from './errors.js';
import { sha256Text, stringify } from './stringify.js';
import { utf8Length } from './utf8.js';

interface Vector {
  inputJs?: string;
  stringify: string;
  sha256OfStringify: string;
  getSize: number;
  input?: string;
  sha256?: string;
}
interface StoredId {
  ensName: string;
  messageId: string;
  uniqueMessageId: string;
}

const require = createRequire(import.meta.url);
const { vectors } = require('../../../test/vectors/stringify-hash.json') as { vectors: Vector[] };
const misc = require('../../../test/vectors/misc.json') as { vectors: { uniqueMessageId?: StoredId }[] };
const storedIds = misc.vectors.flatMap((vector) =>
  vector.uniqueMessageId === undefined ? [] : [vector.uniqueMessageId],
);
const objects = vectors.filter((vector) => vector.inputJs !== undefined);
const texts = vectors.filter((vector) => vector.input !== undefined);

describe('stringify', () => {
  it.each(objects)('writes $inputJs as the client library does', ({ inputJs, ...vector }) => {
    // The vectors hold what JSON cannot say (undefined, -0), as source text.
    const text = stringify(runInNewContext(`(${inputJs})`));
    expect(text).toBe(vector.stringify);
    expect(utf8Length(text)).toBe(vector.getSize);
  });

  it('is blind to the order of members, at every level', () => {
    const shuffled = (value: unknown): unknown =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([key, member]) => [key, shuffled(member)]),
          )
        : value;
    fc.assert(fc.property(fc.object(), (value) => expect(stringify(shuffled(value))).toBe(stringify(value))));
  });

  it('gives what JSON.parse takes back unchanged', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = stringify(value);
        expect(stringify(JSON.parse(text))).toBe(text);
      }),
    );
  });

  it('refuses nesting deeper than the stack by name', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`);
    expect(() => stringify(deep)).toThrow(UnserialisableError);
  });
});

describe.each([createNobleProvider(), await createSodiumProvider()])('sha256Text with $name', (crypto) => {
  it.each(objects)('hashes $stringify', (vector) => {
    expect(sha256Text(crypto, vector.stringify)).toBe(vector.sha256OfStringify);
  });

  it.each(texts)('hashes the plain text $input', ({ input, sha256 }) => {
    expect(sha256Text(crypto, input!)).toBe(sha256);
  });

  it.each(storedIds)('makes the id a storage keeps a message under', ({ ensName, messageId, uniqueMessageId }) => {
    expect(sha256Text(crypto, `${ensName}${messageId}`)).toBe(uniqueMessageId);
  });
});
