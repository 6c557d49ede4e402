import { GatewayError } from '../../common/errors.js';
import type { AccountService } from '../../delivery/accounts/account.service.js';
import type { OwnerCheck } from '../../naming/owner-check.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { verifyText } from '../../protocol/crypto/signature.js';
import type { ProfileLink } from '../../protocol/profile/profile-link.js';
import type { Link } from './link.js';

interface Parts {
  readonly crypto: CryptoProvider;
  readonly owners: Pick<OwnerCheck, 'hasSigned'>;
  readonly accounts: Pick<AccountService, 'profileOf'>;
}

/** Whether the owner of a dm3 name signed a text, with what counts at this moment. */
export class OwnerSignatures {
  constructor(private readonly parts: Parts) {}

  /**
   * By the wallet (EIP-191, or ERC-1271 where it is a contract), or by the signing key of the profile (Ed25519).
   * @throws NamingUnavailableError
   */
  isBy(type: ProfileLink['type'], link: Link, text: string, signature: string): Promise<boolean> {
    return type === 'EthAddressLink'
      ? this.parts.owners.hasSigned(text, signature, link.owner)
      : this.#isByProfile(link, text, signature);
  }

  async #isByProfile({ main, owner }: Link, text: string, signature: string): Promise<boolean> {
    try {
      const { keys } = await this.parts.accounts.profileOf(main, owner);
      return verifyText(this.parts.crypto, keys.signing, text, signature);
    } catch (error) {
      if (error instanceof GatewayError && !error.retryable) return false; // no profile, so no key either
      throw error;
    }
  }
}
