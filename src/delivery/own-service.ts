import type { EnsName } from '../common/ids.js';
import { normaliseName } from '../naming/ens-name.js';
import { profileKeysFromSeed, type ProfileKeys } from '../protocol/crypto/keys.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { deriveKey } from '../storage/sealer.js';

/** Where the delivery service answers below the public URL. */
export const BASE_PATH = '/ds';

/** The delivery service's own name, keys and address. */
export class OwnService {
  readonly name: EnsName;
  readonly keys: ProfileKeys;
  /** As profiles publish it: without a slash at its end. */
  readonly url: string;

  constructor(crypto: CryptoProvider, options: { rootSecret: Uint8Array; name: string; publicUrl: string }) {
    this.name = normaliseName(options.name);
    this.keys = profileKeysFromSeed(crypto, deriveKey(options.rootSecret, 'delivery service keys'));
    this.url = `${options.publicUrl}${BASE_PATH}`;
  }
}
