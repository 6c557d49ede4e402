import { GatewayError } from '../../common/errors.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import type { NameRecords, RecordSource } from '../../naming/ccip-read/records.js';
import { parseAddressName, tryNormaliseName } from '../../naming/ens-name.js';
import { NameNotFoundError, ProfileNotFoundError } from '../../naming/errors.js';
import type { NameService } from '../../naming/name-service.js';
import type { OwnerCheck } from '../../naming/owner-check.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { dataRecord, USER_PROFILE_RECORD } from '../../protocol/profile/record.js';
import { parseUserProfile, type SignedUserProfile, type UserProfile } from '../../protocol/profile/user-profile.js';
import { stringify } from '../../protocol/encoding/stringify.js';
import { toUtf8 } from '../../protocol/encoding/utf8.js';
import type { Database } from '../../storage/database.js';
import { ProfileReplacedError, SignUpRefusedError } from '../errors.js';
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
  readonly owners: OwnerCheck;
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
   * Takes a profile (sign-up, or new keys) for the address behind `name`. Anybody may hand in what its owner once
   * signed, so a profile that was replaced does not come back by itself.
   * @returns the address it was taken for
   * @throws NameNotFoundError, MalformedProfileError, SignUpRefusedError, ProfileReplacedError; NamingUnavailableError
   */
  async submitProfile(name: EnsName, body: unknown): Promise<EthAddress> {
    const { signed, profile } = parseUserProfile(body);
    const address = await this.parts.names.resolveAddress(name);
    if (!address) throw new NameNotFoundError({ name });
    if (!signed || !(await this.parts.owners.isSignedBy(signed, address))) {
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
    await this.#checkPresent(address, signed);
    await this.#save(address, signed);
    return address;
  }

  /** True if the profile names this delivery service. */
  lists(profile: UserProfile): boolean {
    return profile.deliveryServices.some((service) => tryNormaliseName(service) === this.parts.ownName);
  }

  /**
   * The profile that counts for an address: what its name publishes, else (a subdomain provider that is not in our
   * ENS, or none at all) what the account itself handed in, signed by the same address.
   * @param maxAgeMs for a caller who has reason to doubt what is known: what is older is looked up again
   * @throws ProfileNotFoundError, ProfileInvalidError; NamingUnavailableError
   */
  async profileOf(name: EnsName, address: EthAddress, maxAgeMs?: number): Promise<ProfileWithKeys> {
    try {
      const published = await this.parts.names.userProfile(name, maxAgeMs);
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

  /** @throws ProfileReplacedError for a former profile, unless it is the one that the address publishes now */
  async #checkPresent(address: EthAddress, signed: SignedUserProfile): Promise<void> {
    const { db, names } = this.parts;
    if (!(await accountStore.wasReplaced(db, address, this.#hashOf(signed)))) return;
    // Only the name that the address calls itself: whoever owns another one can point it here with an old profile.
    const name = await names.primaryName(address);
    const published = name && (await names.userProfile(name, 0).catch(refusedAsNull));
    if (published?.address !== address || !published.signed) throw new ProfileReplacedError();
    if (!this.#hashOf(published.signed).equals(this.#hashOf(signed))) throw new ProfileReplacedError();
  }

  async #save(address: EthAddress, signed: SignedUserProfile): Promise<void> {
    await this.parts.db.transaction(async (tx) => {
      const former = await accountStore.lock(tx, address);
      await accountStore.save(tx, address, signed);
      if (!former || this.#hashOf(former).equals(this.#hashOf(signed))) return;
      await accountStore.markReplaced(tx, address, this.#hashOf(former), this.#hashOf(signed));
    });
  }

  /** Of what was signed: one text can have many signatures. */
  #hashOf({ profile }: SignedUserProfile): Buffer {
    return Buffer.from(this.parts.crypto.sha256(toUtf8(stringify(profile))));
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

/** For a profile that is not to be had, whatever the reason. @throws what may pass */
function refusedAsNull(error: unknown): null {
  if (error instanceof GatewayError && !error.retryable) return null;
  throw error;
}
