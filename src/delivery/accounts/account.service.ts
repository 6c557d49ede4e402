import type { EnsName, EthAddress } from '../../common/ids.js';
import type { NameRecords, RecordSource } from '../../naming/ccip-read/records.js';
import { parseAddressName, tryNormaliseName } from '../../naming/ens-name.js';
import { NameNotFoundError, ProfileNotFoundError } from '../../naming/errors.js';
import type { NameService } from '../../naming/name-service.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { dataRecord, USER_PROFILE_RECORD } from '../../protocol/profile/record.js';
import {
  isSignedBy,
  parseUserProfile,
  type SignedUserProfile,
  type UserProfile,
} from '../../protocol/profile/user-profile.js';
import type { Database } from '../../storage/database.js';
import { SignUpRefusedError } from '../errors.js';
import { accountStore } from './account.store.js';

export interface SignUpPolicy {
  readonly policy: 'open' | 'allow-list' | 'suffix';
  readonly names: readonly string[];
}

export interface ProfileWithKeys {
  readonly profile: UserProfile;
  readonly keys: { readonly encryption: Uint8Array; readonly signing: Uint8Array };
}

interface Parts {
  readonly crypto: CryptoProvider;
  readonly db: Database;
  readonly names: NameService;
  readonly ownName: EnsName;
  readonly signUp: SignUpPolicy;
}

/** Who has a mailbox here. An account belongs to an address; every name of that address reaches it. */
export class AccountService implements RecordSource {
  constructor(private readonly parts: Parts) {}

  /** The profile an account handed in, or null. */
  async stored(address: EthAddress): Promise<SignedUserProfile | null> {
    return accountStore.find(this.parts.db, address);
  }

  /**
   * Takes a profile (sign-up, or new keys) for the address behind `name`.
   * @throws NameNotFoundError, MalformedProfileError, SignUpRefusedError; NamingUnavailableError
   */
  async submitProfile(name: EnsName, body: unknown): Promise<void> {
    const { signed, profile } = parseUserProfile(body);
    const address = await this.parts.names.resolveAddress(name);
    if (!address) throw new NameNotFoundError({ name });
    if (!signed || !isSignedBy(this.parts.crypto, signed, address)) {
      throw new SignUpRefusedError({ reason: 'The profile is not signed by the address the name resolves to.' });
    }
    if (!this.lists(profile)) {
      throw new SignUpRefusedError({
        reason: `The profile does not list ${this.parts.ownName} among its delivery services.`,
      });
    }
    if (!(await this.stored(address)) && !this.#maySignUp(name)) {
      throw new SignUpRefusedError({
        reason: 'This delivery service takes new accounts by invitation only; ask its operator.',
      });
    }
    await accountStore.save(this.parts.db, address, signed);
  }

  /** True if the profile names this delivery service. */
  lists(profile: UserProfile): boolean {
    return profile.deliveryServices.some((service) => tryNormaliseName(service) === this.parts.ownName);
  }

  /**
   * The profile that counts for an address: what its name publishes, else (a subdomain provider that is not in our
   * ENS, or none at all) what the account itself handed in, signed by the same address.
   * @throws ProfileNotFoundError, ProfileInvalidError; NamingUnavailableError
   */
  async profileOf(name: EnsName, address: EthAddress): Promise<ProfileWithKeys> {
    try {
      const published = await this.parts.names.userProfile(name);
      // Whoever runs `addr.<anything>` could publish an unsigned profile for somebody else's address.
      const trusted = published.ownerVerified || parseAddressName(name) === null;
      if (published.address === address && trusted) return published;
    } catch (error) {
      if (!(error instanceof NameNotFoundError || error instanceof ProfileNotFoundError)) throw error;
    }
    const stored = await this.stored(address);
    if (!stored) throw new ProfileNotFoundError({ name });
    return parseUserProfile(stored);
  }

  /** Serves `0x….addr.<root>` for accounts, so that their address names resolve for everybody. */
  async find(name: EnsName): Promise<NameRecords | null> {
    const address = parseAddressName(name);
    if (!address || name !== this.parts.names.addressName(address)) return null;
    const stored = await this.stored(address);
    return stored ? { address, texts: { [USER_PROFILE_RECORD]: dataRecord(stored) } } : null;
  }

  /** Open doors, or a name on the list, or one with the right ending. */
  #maySignUp(name: EnsName): boolean {
    const { policy, names } = this.parts.signUp;
    if (policy === 'open') return true;
    if (policy === 'suffix')
      return names.some((ending) => name.endsWith(ending.startsWith('.') ? ending : `.${ending}`));
    return names.some((listed) => tryNormaliseName(listed) === name);
  }
}
