import { GatewayError } from '../../common/errors.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import type { NameRecords, RecordSource } from '../../naming/ccip-read/records.js';
import { parseAddressName, tryNormaliseName } from '../../naming/ens-name.js';
import { NameNotFoundError, ProfileNotFoundError } from '../../naming/errors.js';
import type { NameService } from '../../naming/name-service.js';
import type { OwnerCheck } from '../../naming/owner-check.js';
import type { ResolvedProfile } from '../../naming/profile-resolver.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { dataRecord, USER_PROFILE_RECORD } from '../../protocol/profile/record.js';
import { parseUserProfile, type SignedUserProfile, type UserProfile } from '../../protocol/profile/user-profile.js';
import { stringify } from '../../protocol/encoding/stringify.js';
import { toUtf8 } from '../../protocol/encoding/utf8.js';
import type { Database } from '../../storage/database.js';
import { ProfileReplacedError, ProfileUnsignedError, SignUpRefusedError } from '../errors.js';
import { accountStore, type Holder } from './account.store.js';

export interface SignUpPolicy {
  readonly policy: 'open' | 'allow-list' | 'suffix';
  readonly names: readonly string[];
}

/** What came of a profile that was handed in. */
export interface SubmittedProfile {
  readonly address: EthAddress;
  /** True if it opened the account, and nobody but the owner of the address can have had it: see `#isSecret`. */
  readonly isFromOwner: boolean;
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

  /** The profile that somebody with a mailbox here handed in, or null. */
  async stored(address: EthAddress): Promise<SignedUserProfile | null> {
    const holder = await accountStore.find(this.parts.db, address);
    return holder?.mailbox ? holder.profile : null;
  }

  /** The profile that somebody handed in, with or without a mailbox here, or null. */
  async published(address: EthAddress): Promise<SignedUserProfile | null> {
    return (await accountStore.find(this.parts.db, address))?.profile ?? null;
  }

  /**
   * Takes a profile to publish it under the address name, whatever delivery services it lists. It opens no mailbox, and
   * leaves alone whoever has one: anybody may hand in an old profile of theirs, and mail would no longer reach them.
   * @throws MalformedProfileError, ProfileUnsignedError, SignUpRefusedError, ProfileReplacedError; NamingUnavailableError
   */
  async publishProfile(address: EthAddress, body: unknown): Promise<void> {
    const { signed } = parseUserProfile(body);
    if (!signed || !(await this.parts.owners.isSignedBy(signed, address))) throw new ProfileUnsignedError();
    const kept = await this.stored(address);
    if (kept && this.#hashOf(kept).equals(this.#hashOf(signed))) return;
    if (kept) {
      throw new SignUpRefusedError({
        reason: 'The address has a mailbox here: hand its profile in at the delivery service, which publishes it, too.',
      });
    }
    await this.#checkPresent(address, signed);
    await this.#save(address, { profile: signed, mailbox: false });
  }

  /**
   * Takes a profile (sign-up, or new keys) for the address behind `name`. Anybody may hand in what its owner once
   * signed, so a profile that was replaced does not come back by itself.
   * @throws NameNotFoundError, MalformedProfileError, SignUpRefusedError, ProfileReplacedError; NamingUnavailableError
   */
  async submitProfile(name: EnsName, body: unknown): Promise<SubmittedProfile> {
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
    const known = await this.stored(address);
    if (!known && !this.#maySignUp(name)) {
      throw new SignUpRefusedError({
        reason: 'This delivery service takes new accounts by invitation only; ask its operator.',
      });
    }
    await this.#checkPresent(address, signed);
    const isSecret = !known && (await this.#isSecret(name, address, profile));
    const isNew = await this.#save(address, { profile: signed, mailbox: true });
    return { address, isFromOwner: isNew && isSecret };
  }

  /** From now on whoever handed in the first profile has to log in like everybody else. */
  noteLogin(address: EthAddress): Promise<void> {
    return accountStore.noteLogin(this.parts.db, address);
  }

  wasLoggedInTo(address: EthAddress): Promise<boolean> {
    return accountStore.wasLoggedInTo(this.parts.db, address);
  }

  /** True if the profile names this delivery service. */
  lists(profile: UserProfile): boolean {
    return profile.deliveryServices.some((service) => tryNormaliseName(service) === this.parts.ownName);
  }

  /** True if it names none but this one. */
  listsNoOther(profile: UserProfile): boolean {
    return profile.deliveryServices.every((service) => tryNormaliseName(service) === this.parts.ownName);
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
      if (published.address === address && (await this.#isVouchedFor(published))) return published;
    } catch (error) {
      if (!(error instanceof NameNotFoundError || error instanceof ProfileNotFoundError)) throw error;
    }
    const stored = await this.stored(address);
    if (!stored) throw new ProfileNotFoundError({ name });
    return parseUserProfile(stored);
  }

  /**
   * Whoever owns a name can point it at anybody's address, and publish keys of his own beside it. So the owner of the
   * address must have signed the profile, or call himself by the name (EIP-181), which nobody else can do for him.
   */
  async #isVouchedFor({ name, address, ownerVerified }: ResolvedProfile): Promise<boolean> {
    return ownerVerified || (await this.parts.names.claimedName(address)) === name;
  }

  /** Serves `0x….addr.<root>` for accounts, so that their address names resolve for everybody. */
  async find(name: EnsName): Promise<NameRecords | null> {
    const address = parseAddressName(name);
    if (!address || name !== this.parts.names.addressName(address)) return null;
    const stored = await this.published(address);
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

  /**
   * Whether a profile can only come from its owner: it is not published yet. That is asked of the name which the address
   * calls itself, since anybody can point one of theirs at it and publish nothing there. A profile that lists another
   * delivery service may have been read there.
   */
  async #isSecret(name: EnsName, address: EthAddress, profile: UserProfile): Promise<boolean> {
    const { names } = this.parts;
    if (!this.listsNoOther(profile)) return false;
    try {
      if ((await names.claimedName(address)) !== name) return false;
      await names.userProfile(name, 0);
      return false;
    } catch (error) {
      if (error instanceof GatewayError) return error instanceof ProfileNotFoundError;
      throw error;
    }
  }

  /** @returns true if there was no account before */
  #save(address: EthAddress, holder: Holder): Promise<boolean> {
    return this.parts.db.transaction(async (tx) => {
      if (await accountStore.open(tx, address, holder)) return true;
      const former = await accountStore.lock(tx, address);
      await accountStore.replace(tx, address, holder);
      const [before, now] = [former && this.#hashOf(former), this.#hashOf(holder.profile)];
      if (before && !before.equals(now)) await accountStore.markReplaced(tx, address, before, now);
      return false;
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
