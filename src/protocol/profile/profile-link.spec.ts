import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { createNobleProvider } from '../crypto/noble.js';
import { signText } from '../crypto/signature.js';
import { createSodiumProvider } from '../crypto/sodium.js';
import { type ProfileLink, profileLinkMessage, type SignedProfileLink, verifyProfileLink } from './profile-link.js';

const require = createRequire(import.meta.url);
const { vectors } = require('../../../test/vectors/misc.json') as { vectors: { profileLink?: SignedProfileLink }[] };
const signed = vectors.flatMap((vector) => vector.profileLink ?? []);

describe.each([createNobleProvider(), await createSodiumProvider()])('profile links with $name', (crypto) => {
  it.each(signed)('verify as the client library signed them for $profileLink.mainId', (link) => {
    expect(verifyProfileLink(crypto, link)).toBe(true);
    const changed = { ...link, profileLink: { ...link.profileLink, nonce: 2 } };
    expect(verifyProfileLink(crypto, changed)).toBe(false);
    const otherwise = { ...link, profileLink: { ...link.profileLink, mainId: 'alice.eth' } };
    expect(verifyProfileLink(crypto, otherwise)).toBe(false);
  });

  it('to a main profile verify with its signing key', () => {
    const keys = crypto.signingKeyPairFromSeed(randomBytes(32));
    const profileLink: ProfileLink = { ...signed[0]!.profileLink, type: 'ProfileLink', mainId: 'alice.eth' };
    const link = { profileLink, signature: signText(crypto, keys.privateKey, profileLinkMessage(profileLink)) };
    expect(verifyProfileLink(crypto, link, keys.publicKey)).toBe(true);
    expect(verifyProfileLink(crypto, link, randomBytes(32))).toBe(false);
    expect(verifyProfileLink(crypto, link)).toBe(false);
  });
});
