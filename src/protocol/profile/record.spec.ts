import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createNobleProvider } from '../crypto/noble.js';
import { createSodiumProvider } from '../crypto/sodium.js';
import { MalformedEncodingError } from '../encoding/errors.js';
import { sha256Text, stringify } from '../encoding/stringify.js';
import { toUtf8 } from '../encoding/utf8.js';
import { MalformedRecordError, RecordHashMismatchError } from './errors.js';
import { checkRecordHash, dataRecord, parseRecord } from './record.js';

interface Vector {
  signedUserProfile: unknown;
  dm3Hash: string;
  linkUri: string;
  records: Record<string, string>;
}
interface LinkTest {
  case: string;
  uri: string;
  reference: string;
}

const require = createRequire(import.meta.url);
const file = require('../../../test/vectors/profile.json') as { vectors: (Vector | { linkTests: LinkTest[] })[] };
const vectors = file.vectors.filter((vector): vector is Vector => 'records' in vector);
const linkTests = file.vectors.flatMap((vector) => ('linkTests' in vector ? vector.linkTests : []));
const forms = vectors.flatMap(({ records, signedUserProfile }) =>
  Object.entries(records).map(([form, record]) => ({ form, record, signedUserProfile })),
);

describe('parseRecord', () => {
  it.each(forms)('reads the form $form', ({ record, signedUserProfile }) => {
    expect(parseRecord(record)).toEqual({ kind: 'data', json: signedUserProfile });
  });

  it('leaves a percent sign in raw JSON alone', () => {
    expect(parseRecord('data:application/json,{"a":"%7B 100%"}')).toEqual({ kind: 'data', json: { a: '%7B 100%' } });
  });

  it.each(vectors)('reads the link $linkUri', ({ linkUri, dm3Hash }) => {
    expect(parseRecord(linkUri)).toEqual({ kind: 'https', url: linkUri, dm3Hash });
  });

  it('reads a hash in any spelling', () => {
    const digits = 'AB'.repeat(32);
    expect(parseRecord(`http://a.example/?x=1&dm3Hash=${digits}`)).toMatchObject({
      dm3Hash: `0x${digits.toLowerCase()}`,
    });
  });

  it('reads an ipfs link', () => {
    expect(parseRecord('ipfs://QmYwAPJzv5CZsnA')).toEqual({ kind: 'ipfs', cid: 'QmYwAPJzv5CZsnA' });
  });

  it.each([
    ['another MIME type', 'data:text/plain,{}', 'neither'],
    ['a MIME type that goes on', 'data:application/json5,{}', 'neither'],
    ['another charset', 'data:application/json;charset=latin1,{}', 'parameter'],
    ['data that is no JSON', 'data:application/json,profile', 'not JSON'],
    ['a broken escape', 'data:application/json,%7', 'not JSON'],
    ['broken base64', 'data:application/json;base64,e30', 'not JSON'],
    ['no data', 'data:application/json', 'neither'],
    ['a link without hash', 'https://profiles.example/x', 'dm3Hash'],
    ['a link with half a hash', 'https://profiles.example/x?dm3Hash=0x1234', 'dm3Hash'],
    ['a link that is no URL', 'https://', 'URL'],
    ['an ipfs link that goes on', 'ipfs://Qm/../x', 'neither'],
    ['nothing', '', 'neither'],
  ])('refuses %s', (_, text, reason) => {
    expect(() => parseRecord(text)).toThrow(MalformedRecordError);
    expect(() => parseRecord(text)).toThrow(reason);
  });
});

describe('dataRecord', () => {
  it.each(vectors)('publishes what clients publish', ({ records, signedUserProfile }) => {
    expect(dataRecord(signedUserProfile)).toBe(records['plain']);
  });

  it('is ASCII, and read back unchanged', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        const record = dataRecord(value);
        const { json } = parseRecord(record) as { json: unknown };
        expect(toUtf8(record)).toHaveLength(record.length);
        expect(stringify(json)).toBe(stringify(value));
      }),
    );
  });
});

describe.each([createNobleProvider(), await createSodiumProvider()])('checkRecordHash with $name', (crypto) => {
  const document = '{ "b": 1, "a": "ž" }';
  const ofBytes = sha256Text(crypto, document);
  const ofParsed = sha256Text(crypto, '{"a":"ž","b":1}');

  it.each(linkTests)('decides as the client library: $case', ({ uri, reference }) => {
    const { signedUserProfile } = vectors[0]!;
    const check = (): unknown => {
      const record = parseRecord(uri);
      return record.kind === 'https'
        ? checkRecordHash(crypto, JSON.stringify(signedUserProfile), record.dm3Hash)
        : null;
    };
    if (reference === 'accepted') expect(check()).toEqual(signedUserProfile);
    else expect(check).toThrow(/dm3Hash/);
  });

  it.each([ofParsed, ofBytes, ofParsed.slice(2), ofBytes.toUpperCase().replace('X', 'x')])('accepts %s', (hash) => {
    expect(checkRecordHash(crypto, document, hash)).toEqual({ a: 'ž', b: 1 });
    expect(checkRecordHash(crypto, toUtf8(document), hash)).toEqual({ a: 'ž', b: 1 });
  });

  it('refuses anything else', () => {
    expect(() => checkRecordHash(crypto, document, sha256Text(crypto, 'other'))).toThrow(RecordHashMismatchError);
    expect(() => checkRecordHash(crypto, document, 'no hash')).toThrow(RecordHashMismatchError);
    expect(() => checkRecordHash(crypto, 'text', sha256Text(crypto, 'text'))).toThrow(MalformedEncodingError);
    expect(() => checkRecordHash(crypto, Uint8Array.of(0xff), ofBytes)).toThrow(MalformedEncodingError);
  });
});
