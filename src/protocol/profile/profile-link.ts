import { parseEthAddress } from '../../common/ids.js';
import { recoverPersonalSigner } from '../crypto/keys.js';
import type { CryptoProvider } from '../crypto/provider.js';
import { verifyText } from '../crypto/signature.js';

/** ENS text record of the linked profile: its `SignedProfileLink`, as a JSON data URI. */
export const PROFILE_LINK_RECORD = 'network.dm3.profileLink';
/** ENS text record of the linked profile: the name it is linked with, which resolves to the address in an `EthAddressLink`. */
export const LINKED_NAME_RECORD = 'network.dm3.linkedName';

/** Ties a scoped profile to a main one, or to an Ethereum address (dm3 LPP). */
export interface ProfileLink {
  readonly type: 'ProfileLink' | 'EthAddressLink';
  /** dm3 name of the main profile, or the address. */
  readonly mainId: string;
  /** dm3 name of the scoped profile. */
  readonly linkedProfile: string;
  readonly scopeUri: string;
  /** Seconds since the epoch. */
  readonly issuedAt: number;
  /** Seconds since the epoch; null = for ever. */
  readonly expirationTime: number | null;
  readonly nonce: number;
}

export interface SignedProfileLink {
  readonly profileLink: ProfileLink;
  /** base64 of Ed25519 by the main profile, or 0x-hex of EIP-191 by the address. */
  readonly signature: string;
}

/** The text that is signed. */
export function profileLinkMessage(link: ProfileLink): string {
  const main = link.type === 'ProfileLink' ? 'main dm3 profile' : 'Ethereum address';
  return [
    'dm3 Profile Link:',
    `${link.scopeUri} wants you to link your local dm3 profile with your ${main}.`,
    '',
    `Main ID: ${link.mainId}`,
    `Main ID Type: ${link.type}`,
    `Linked Profile Name: ${link.linkedProfile}`,
    `Nonce: ${link.nonce}`,
    `Issued At: ${link.issuedAt}`,
    `Expiration Time: ${link.expirationTime}`,
  ].join('\n');
}

/**
 * The text by which the owner takes a link back. dm3 has none; it names the link's nonce, so that a signature removes
 * no later link between the same two.
 */
export function profileLinkRemovalMessage({ scopeUri, mainId, linkedProfile, nonce }: ProfileLink): string {
  return [
    'dm3 Profile Link Removal:',
    `${scopeUri} wants you to remove the link with your local dm3 profile.`,
    '',
    `Main ID: ${mainId}`,
    `Linked Profile Name: ${linkedProfile}`,
    `Nonce: ${nonce}`,
  ].join('\n');
}

/**
 * Checks the signature only; whether the link has expired is for whoever has the time.
 * @param mainSigningKey of the main profile; not needed for an `EthAddressLink`.
 */
export function verifyProfileLink(
  crypto: CryptoProvider,
  { profileLink, signature }: SignedProfileLink,
  mainSigningKey?: Uint8Array,
): boolean {
  const message = profileLinkMessage(profileLink);
  if (profileLink.type === 'ProfileLink') {
    return mainSigningKey !== undefined && verifyText(crypto, mainSigningKey, message, signature);
  }
  const address = parseEthAddress(profileLink.mainId);
  return address !== null && recoverPersonalSigner(crypto, message, signature) === address;
}
