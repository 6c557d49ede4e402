import { z } from 'zod';
import type { EthAddress } from '../../common/ids.js';
import { checksumAddress, recoverPersonalSigner, signPersonalMessage } from '../crypto/keys.js';
import type { CryptoProvider } from '../crypto/provider.js';
import { parseShape } from '../encoding/json.js';
import { stringifiedLength, stringify } from '../encoding/stringify.js';
import { MalformedProfileError } from './errors.js';
import { decodeKeys, type PublicKeys } from './public-key.js';

/** What a dm3 user publishes (dm3 MTP: user profile). */
export interface UserProfile {
  /** base64. */
  readonly publicEncryptionKey: string;
  /** base64. */
  readonly publicSigningKey: string;
  /** dm3 names of delivery services, best first. */
  readonly deliveryServices: readonly string[];
}

export interface SignedUserProfile {
  readonly profile: UserProfile;
  /** 0x-hex of an EIP-191 signature by the address of the name; of anything ERC-1271 takes if that is a contract. */
  readonly signature: string;
}

export interface ParsedUserProfile {
  /** As it came, so that its signature can be checked; null for an unsigned profile, which nobody vouches for. */
  readonly signed: SignedUserProfile | null;
  readonly profile: UserProfile;
  readonly keys: PublicKeys;
}

/** Anybody may hand in a profile, and everybody is answered with it: this is room for every honest one. */
const MAX_BYTES = 16_384;

const profileSchema = z.object({
  publicEncryptionKey: z.string(),
  publicSigningKey: z.string(),
  deliveryServices: z.array(z.string()).optional(),
  // The specification's example has the singular.
  deliveryService: z.union([z.string(), z.array(z.string())]).optional(),
});
type WireProfile = z.infer<typeof profileSchema>;

const documentSchema = z.object({ profile: profileSchema.optional(), signature: z.string().optional() });

/** The text the owner of a profile signs with `personal_sign`. Every byte counts, the wording included. */
export function profileCreationMessage(crypto: CryptoProvider, profile: UserProfile, address: EthAddress): string {
  return [
    'dm3.chat wants you register your dm3 profile with your Ethereum account:',
    checksumAddress(crypto, address),
    '',
    'This is required only once!',
    '(There is no paid transaction initiated. The signature is used off-chain only.)',
    '',
    'URI: https://dm3.chat',
    'Version: 1',
    `dm3 Profile: ${stringify(profile)}`,
  ].join('\n');
}

export function signProfile(
  crypto: CryptoProvider,
  profile: UserProfile,
  ownerPrivateKey: Uint8Array,
): SignedUserProfile {
  const message = profileCreationMessage(crypto, profile, crypto.ethereumAddress(ownerPrivateKey));
  return { profile, signature: signPersonalMessage(crypto, ownerPrivateKey, message) };
}

/** True if the key of this address signed the profile. A contract's signature (ERC-1271) has to be asked on chain. */
export function isSignedBy(crypto: CryptoProvider, signed: SignedUserProfile, address: EthAddress): boolean {
  const message = profileCreationMessage(crypto, signed.profile, address);
  return recoverPersonalSigner(crypto, message, signed.signature) === address;
}

/**
 * Reads a published profile, signed or bare; no signature is checked here.
 * @param value JSON text, or the object itself.
 * @throws MalformedProfileError
 */
export function parseUserProfile(value: unknown): ParsedUserProfile {
  const fail = (reason: string, cause?: unknown): Error => new MalformedProfileError({ reason, cause });
  const document = parseShape(documentSchema, value, fail);
  if (stringifiedLength(document) > MAX_BYTES) throw fail(`it has more than ${MAX_BYTES} bytes`);
  const wire = document.profile ?? parseShape(profileSchema, document, fail);
  const { publicEncryptionKey, publicSigningKey } = wire;
  const isSigned = document.profile !== undefined && document.signature !== undefined;
  return {
    signed: isSigned ? (document as SignedUserProfile) : null,
    profile: { publicEncryptionKey, publicSigningKey, deliveryServices: deliveryServicesOf(wire) },
    keys: decodeKeys(wire),
  };
}

function deliveryServicesOf({ deliveryServices, deliveryService }: WireProfile): readonly string[] {
  const names = deliveryServices ?? deliveryService;
  if (names === undefined) throw new MalformedProfileError({ reason: 'deliveryServices: it is missing' });
  return typeof names === 'string' ? [names] : names;
}
