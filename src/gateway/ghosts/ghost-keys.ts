import type { EthAddress, ForeignAddress } from '../../common/ids.js';
import { profileKeysFromSeed, type ProfileKeys } from '../../protocol/crypto/keys.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { deriveKey } from '../../storage/sealer.js';

/**
 * Everything a ghost is follows from the root secret and the canonical foreign address, never from its alias name: a
 * new root name or codec keeps identities, and a lost database loses none.
 */
export class GhostKeys {
  constructor(
    private readonly crypto: CryptoProvider,
    private readonly rootSecret: Uint8Array,
  ) {}

  /** secp256k1 private key, 32 bytes: the owner of the ghost's name and the signer of its profile. */
  wallet(foreign: ForeignAddress): Uint8Array {
    return deriveKey(this.rootSecret, `ghost wallet ${foreign}`);
  }

  address(foreign: ForeignAddress): EthAddress {
    return this.crypto.ethereumAddress(this.wallet(foreign));
  }

  /** dm3 keys of one version (1, 2, …): versions rotate, older ones still open mail that is under way. */
  dm3(foreign: ForeignAddress, version: number): ProfileKeys {
    return profileKeysFromSeed(this.crypto, deriveKey(this.rootSecret, `ghost dm3 keys ${version} ${foreign}`));
  }
}
