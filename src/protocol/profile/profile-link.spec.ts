import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createNobleProvider } from '../crypto/noble.js';
import { signText } from '../crypto/signature.js';
import { createSodiumProvider } from '../crypto/sodium.js';
import {
  type ProfileLink,
  profileLinkMessage,
  profileLinkRemovalMessage,
  type SignedProfileLink,
  verifyProfileLink,
} from './profile-link.js';

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

describe('the texts that are signed', () => {
  const line = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\n'));
  const links = fc.record({
    type: fc.constantFrom('ProfileLink' as const, 'EthAddressLink' as const),
    mainId: line,
    linkedProfile: line,
    scopeUri: line,
    issuedAt: fc.nat(),
    expirationTime: fc.option(fc.nat()),
    nonce: fc.maxSafeNat(),
  });

  it('are the same for no two links, and a removal is never a link', () => {
    fc.assert(
      fc.property(
        links,
        links,
        fc.constantFrom(...(Object.keys(signed[0]!.profileLink) as (keyof ProfileLink)[])),
        (link, other, member) => {
          const changed = { ...link, [member]: other[member] };
          expect(profileLinkMessage(changed) === profileLinkMessage(link)).toBe(changed[member] === link[member]);
          expect(profileLinkRemovalMessage(link)).not.toBe(profileLinkMessage(other));
        },
      ),
    );
  });

  it('take back one link and no later one', () => {
    const { profileLink } = signed[0]!;
    expect(profileLinkRemovalMessage(profileLink)).toBe(
      [
        'dm3 Profile Link Removal:',
        'https://app.example wants you to remove the link with your local dm3 profile.',
        '',
        'Main ID: 0xF0C3575Ba96107555861857ef771268FcB1f39F7',
        'Linked Profile Name: scoped.alice.eth',
        'Nonce: 1',
      ].join('\n'),
    );
    expect(profileLinkRemovalMessage({ ...profileLink, nonce: 2 })).not.toBe(profileLinkRemovalMessage(profileLink));
  });
});
