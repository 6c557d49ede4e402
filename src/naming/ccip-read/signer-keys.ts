import type { EthAddress } from '../../common/ids.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { deriveKey } from '../../storage/sealer.js';

/**
 * The accounts around a rotation. A resolver contract that trusts the current and the next one lets the service change
 * over at any moment; the previous one can be taken from it once the answers it signed have expired.
 */
export interface SignerAddresses {
  readonly current: EthAddress;
  readonly next: EthAddress;
  /** Null in the first version. */
  readonly previous: EthAddress | null;
}

/** The secp256k1 key, 32 bytes, that signs CCIP-read answers in a version (1, 2, …) of `ccipRead.signerVersion`. */
export function ccipSignerKey(rootSecret: Uint8Array, version: number): Uint8Array {
  return deriveKey(rootSecret, version === 1 ? 'ccip-read signer' : `ccip-read signer ${version}`);
}

/** @param version the one that signs now: `ccipRead.signerVersion`. */
export function ccipSigners(crypto: CryptoProvider, rootSecret: Uint8Array, version: number): SignerAddresses {
  const addressOf = (each: number) => crypto.ethereumAddress(ccipSignerKey(rootSecret, each));
  return {
    current: addressOf(version),
    next: addressOf(version + 1),
    previous: version > 1 ? addressOf(version - 1) : null,
  };
}
