import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import type { EthAddress } from '../../common/ids.js';
import { createNobleProvider } from '../crypto/noble.js';
import { createSodiumProvider } from '../crypto/sodium.js';
import { fromBase64, toBase64 } from '../encoding/base64.js';
import { fromHex } from '../encoding/hex.js';
import { sha256Text, stringify } from '../encoding/stringify.js';
import { MalformedProfileError } from './errors.js';
import {
  isSignedBy,
  parseUserProfile,
  profileCreationMessage,
  type SignedUserProfile,
  signProfile,
} from './user-profile.js';

interface Vector {
  walletPrivateKey: string;
  address: string;
  profileCreationMessage: string;
  signedUserProfile: SignedUserProfile;
  dm3Hash: string;
}

const require = createRequire(import.meta.url);
const file = require('../../../test/vectors/profile.json') as { vectors: (Vector | { linkTests: unknown })[] };
const vectors = file.vectors.filter((vector): vector is Vector => 'walletPrivateKey' in vector);
const { profile, signature } = vectors[0]!.signedUserProfile;
const addressOf = (vector: Vector): EthAddress => vector.address.toLowerCase() as EthAddress;
const STRANGER = `0x${'1'.repeat(40)}` as EthAddress;

describe.each([createNobleProvider(), await createSodiumProvider()])('user profiles with $name', (crypto) => {
  it.each(vectors)('are signed as the client library signs that of $address', (vector) => {
    const { signedUserProfile } = vector;
    const address = addressOf(vector);
    expect(profileCreationMessage(crypto, signedUserProfile.profile, address)).toBe(vector.profileCreationMessage);
    expect(signProfile(crypto, signedUserProfile.profile, fromHex(vector.walletPrivateKey))).toEqual(signedUserProfile);
    expect(isSignedBy(crypto, signedUserProfile, address)).toBe(true);
    expect(isSignedBy(crypto, signedUserProfile, STRANGER)).toBe(false);
    expect(sha256Text(crypto, stringify(signedUserProfile))).toBe(vector.dm3Hash);
  });

  it('are refused where they are larger than any honest one, whatever makes them so', () => {
    const padded = { profile: { ...profile, note: 'x'.repeat(16_384) }, signature };
    expect(() => parseUserProfile(padded)).toThrow('more than 16384 bytes');
    const services = Array.from({ length: 2_000 }, (_, index) => `ds${index}.eth`);
    expect(() => parseUserProfile({ ...profile, deliveryServices: services })).toThrow(MalformedProfileError);
  });

  it('do not verify once changed', () => {
    const address = addressOf(vectors[0]!);
    const changed = { ...profile, deliveryServices: ['evil.eth'] };
    expect(isSignedBy(crypto, { profile: changed, signature }, address)).toBe(false);
    expect(isSignedBy(crypto, { profile, signature: '0x1234' }, address)).toBe(false);
  });

  it('verify over the object as it came, unknown members and old spelling included', () => {
    const wallet = fromHex(vectors[0]!.walletPrivateKey);
    const { deliveryServices: _, ...rest } = profile;
    const odd = { ...rest, deliveryService: 'ds.eth', extra: true };
    const published = signProfile(crypto, odd as unknown as typeof profile, wallet);
    const { signed, ...parsed } = parseUserProfile(JSON.stringify(published));
    expect(parsed.profile).toEqual(profile);
    expect(isSignedBy(crypto, signed!, addressOf(vectors[0]!))).toBe(true);
  });
});

describe('parseUserProfile', () => {
  const secp256k1Key = toBase64(new Uint8Array(33));

  it('reads a signed profile', () => {
    const document = { profile, signature };
    const parsed = parseUserProfile(document);
    expect(parsed.signed).toBe(document);
    expect(parsed.profile).toEqual(profile);
    expect(parsed.keys.encryption).toEqual(fromBase64(profile.publicEncryptionKey));
    expect(parsed.keys.signing).toEqual(fromBase64(profile.publicSigningKey));
  });

  it.each([
    ['a bare profile', profile],
    ['a wrapper without signature', { profile }],
  ])('takes %s as unsigned', (_, document) => {
    expect(parseUserProfile(document)).toMatchObject({ signed: null, profile });
  });

  it.each([['ds.eth'], [['ds.eth']]])('reads the singular deliveryService %j', (deliveryService) => {
    const { deliveryServices: _, ...rest } = profile;
    expect(parseUserProfile({ ...rest, deliveryService }).profile.deliveryServices).toEqual(['ds.eth']);
  });

  it('reads the specification’s kind of signing key', () => {
    expect(parseUserProfile({ ...profile, publicSigningKey: secp256k1Key }).keys.signing).toHaveLength(33);
  });

  it.each([
    ['no JSON', 'text', 'it is not JSON'],
    ['null', null, 'expected object'],
    ['an empty object', {}, 'publicEncryptionKey'],
    ['a key that is no base64', { ...profile, publicSigningKey: '***' }, 'publicSigningKey: it is not base64'],
    ['a short signing key', { ...profile, publicSigningKey: 'YQ==' }, 'publicSigningKey: a key of this length'],
    ['a long encryption key', { ...profile, publicEncryptionKey: secp256k1Key }, 'publicEncryptionKey: a key of this'],
    ['no delivery services', { ...profile, deliveryServices: undefined }, 'deliveryServices: it is missing'],
    ['names that are none', { ...profile, deliveryServices: [1] }, 'deliveryServices.0'],
  ])('refuses %s', (_, document, reason) => {
    expect(() => parseUserProfile(document)).toThrow(MalformedProfileError);
    expect(() => parseUserProfile(document)).toThrow(reason);
  });
});
