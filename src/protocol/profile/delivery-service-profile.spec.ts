import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { createNobleProvider } from '../crypto/noble.js';
import { createSodiumProvider } from '../crypto/sodium.js';
import { toBase64 } from '../encoding/base64.js';
import { type DeliveryServiceProfile, parseDeliveryServiceProfile } from './delivery-service-profile.js';
import { MalformedProfileError } from './errors.js';
import { checkRecordHash, dataRecord, parseRecord } from './record.js';

interface Vector {
  profile: DeliveryServiceProfile;
  record: string;
  dm3Hash: string;
}

const require = createRequire(import.meta.url);
const { vectors } = require('../../../test/vectors/ds-profile.json') as { vectors: Vector[] };
const { profile } = vectors[0]!;

describe.each([createNobleProvider(), await createSodiumProvider()])('with $name', (crypto) => {
  it.each(vectors)('the record of $profile.url is the client library’s', (vector) => {
    const { json } = parseRecord(vector.record) as { json: unknown };
    const parsed = parseDeliveryServiceProfile(json);
    expect(parsed.profile).toEqual(vector.profile);
    expect(toBase64(parsed.keys.encryption)).toBe(vector.profile.publicEncryptionKey);
    expect(dataRecord(vector.profile)).toBe(vector.record);
    expect(checkRecordHash(crypto, JSON.stringify(vector.profile), vector.dm3Hash)).toEqual(vector.profile);
  });
});

describe('parseDeliveryServiceProfile', () => {
  it.each(['http://127.0.0.1:8080/ds', 'http://localhost:1', 'https://ds.example'])('takes %s', (url) => {
    expect(parseDeliveryServiceProfile({ ...profile, url }).profile.url).toBe(url);
    expect(parseDeliveryServiceProfile({ ...profile, url: `${url}//` }).profile.url).toBe(url);
  });

  it.each(['ftp://ds.example', 'ds.example', '', 'javascript:alert(1)'])('refuses the url %j', (url) => {
    expect(() => parseDeliveryServiceProfile({ ...profile, url })).toThrow(MalformedProfileError);
  });

  it('refuses a user profile', () => {
    const { url: _, ...rest } = profile;
    expect(() => parseDeliveryServiceProfile({ ...rest, deliveryServices: [] })).toThrow(MalformedProfileError);
  });
});
