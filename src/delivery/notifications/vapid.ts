import { p256 } from '@noble/curves/nist.js';
import { deriveKey } from '../../storage/sealer.js';

/** How push services know an application server, and browsers whose pushes to take (RFC 8292). */
export interface VapidKeys {
  /** Uncompressed point on P-256, base64url. */
  readonly publicKey: string;
  /** 32 bytes, base64url. */
  readonly privateKey: string;
}

const SEED_BYTES = 48;

/** From the root secret, so that subscriptions outlive everything else: they are good for one public key only. */
export function vapidKeys(rootSecret: Uint8Array): VapidKeys {
  // Longer than the key: reduced to the curve's order it is as good as evenly spread (FIPS 186-5 A.2.1).
  const bytes = Buffer.concat(['web push', 'web push, continued'].map((purpose) => deriveKey(rootSecret, purpose)));
  const privateKey = p256.utils.randomSecretKey(bytes.subarray(0, SEED_BYTES));
  return {
    publicKey: Buffer.from(p256.getPublicKey(privateKey, false)).toString('base64url'),
    privateKey: Buffer.from(privateKey).toString('base64url'),
  };
}
