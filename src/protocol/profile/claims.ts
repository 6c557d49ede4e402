import type { CryptoProvider } from '../crypto/provider.js';
import { signText, verifyText } from '../crypto/signature.js';

/** What the owner of a profile asks of a subdomain manager: a name for it, or that name's removal. */
export type ClaimKind = 'alias' | 'remove';

/** The text that is signed; the name stays as it was typed, not normalised. */
export function claimText(kind: ClaimKind, dm3Name: string): string {
  return `${kind}: ${dm3Name}`;
}

/** @param signingPrivateKey of the profile, 64 bytes. @returns base64 of Ed25519. */
export function signClaim(
  crypto: CryptoProvider,
  kind: ClaimKind,
  dm3Name: string,
  signingPrivateKey: Uint8Array,
): string {
  return signText(crypto, signingPrivateKey, claimText(kind, dm3Name));
}

/** Never throws. */
export function verifyClaim(
  crypto: CryptoProvider,
  kind: ClaimKind,
  dm3Name: string,
  signature: string,
  signingPublicKey: Uint8Array,
): boolean {
  return verifyText(crypto, signingPublicKey, claimText(kind, dm3Name), signature);
}
