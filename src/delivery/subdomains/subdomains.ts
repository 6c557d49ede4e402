import { parseEthAddress, type EnsName, type EthAddress } from '../../common/ids.js';
import type { NameRecords, RecordSource } from '../../naming/ccip-read/records.js';
import type { ChainAccount } from '../../naming/chain-account.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { verifyText } from '../../protocol/crypto/signature.js';
import { dataRecord, USER_PROFILE_RECORD } from '../../protocol/profile/record.js';
import { parseUserProfile, type SignedUserProfile } from '../../protocol/profile/user-profile.js';
import type { Database } from '../../storage/database.js';
import type { AccountService } from '../accounts/account.service.js';
import {
  BalanceTooLowError,
  ClaimForgedError,
  LabelRefusedError,
  NameTakenError,
  NoProfileError,
  SubdomainUnsupportedError,
} from './errors.js';
import { objectionTo } from './user-label.js';
import { userNameStore } from './user-name.store.js';

interface Parts {
  readonly crypto: CryptoProvider;
  readonly db: Database;
  readonly accounts: AccountService;
  readonly chain: Pick<ChainAccount, 'balance'>;
  readonly rootName: EnsName;
  /** Labels that nobody gets, beside the usual ones. */
  readonly reserved: readonly string[];
  /** Wei that the owner of a name must hold when claiming it. */
  readonly minBalance: bigint;
}

/** Somebody who wants a name, or wants it gone. */
export interface NameClaim {
  /** `bob.user.<root>`, as typed: this is what was signed. */
  readonly name: string;
  /** base64 of Ed25519 over `alias: <name>` or `remove: <name>`, by the profile's signing key. */
  readonly signature: string;
}

/**
 * The subdomain managers (dm3 MTP: subdomains): `0x….addr.<root>` publishes the profile of an address for those who
 * have no name, `<label>.user.<root>` is a name for it. What is signed carries no time, so whoever saw a signature can
 * repeat it; all that achieves is what its owner wanted once.
 */
export class Subdomains implements RecordSource {
  readonly #addresses: EnsName;
  readonly #users: EnsName;

  constructor(private readonly parts: Parts) {
    this.#addresses = `addr.${parts.rootName}` as EnsName;
    this.#users = `user.${parts.rootName}` as EnsName;
  }

  /**
   * Publishes a profile under the address name; a newer one replaces it.
   * @throws SubdomainUnsupportedError, SignUpRefusedError, MalformedProfileError, ProfileReplacedError;
   *   NamingUnavailableError
   */
  async publish(address: EthAddress, subdomain: string, profile: unknown): Promise<void> {
    if (subdomain.toLowerCase() !== this.#addresses) {
      throw new SubdomainUnsupportedError({ subdomain, ours: this.#addresses });
    }
    await this.parts.accounts.publishProfile(address, profile);
  }

  /** The profile published for an address, or null. */
  profileOf(address: EthAddress): Promise<SignedUserProfile | null> {
    return this.parts.accounts.published(address);
  }

  /** The name of an address, or null. */
  async nameOf(address: EthAddress): Promise<EnsName | null> {
    const label = await userNameStore.labelOf(this.parts.db, address);
    return label === null ? null : (`${label}.${this.#users}` as EnsName);
  }

  /**
   * Gives a name to the owner of a profile. Claiming one's own name again changes nothing.
   * @param addressName `0x….addr.<root>`: whose it shall be
   * @throws SubdomainUnsupportedError, NoProfileError, ClaimForgedError, LabelRefusedError, BalanceTooLowError,
   *   NameTakenError; NamingUnavailableError
   */
  async claim({ name, signature }: NameClaim, addressName: string): Promise<void> {
    const { db, chain, minBalance, reserved } = this.parts;
    const address = this.#addressIn(addressName);
    await this.#checkSignature(address, `alias: ${name}`, signature);
    const label = this.#labelIn(name);
    const reason = objectionTo(label, reserved);
    if (reason) throw new LabelRefusedError({ reason });
    if (minBalance > 0n && (await chain.balance(address)) < minBalance) throw new BalanceTooLowError({ minBalance });
    if (!(await userNameStore.claim(db, label, address))) await this.#checkOwn(label, address);
  }

  /** Takes the name from its owner's profile. @throws SubdomainUnsupportedError, NoProfileError, ClaimForgedError */
  async release({ name, signature }: NameClaim): Promise<void> {
    const { db } = this.parts;
    const label = this.#labelIn(name);
    const address = await userNameStore.addressOf(db, label);
    if (!address) throw new NoProfileError();
    await this.#checkSignature(address, `remove: ${name}`, signature);
    await userNameStore.release(db, label, address);
  }

  /** Serves the names it gave away. */
  async find(name: EnsName): Promise<NameRecords | null> {
    if (!name.endsWith(`.${this.#users}`)) return null;
    const label = name.slice(0, -this.#users.length - 1);
    const address = label.includes('.') ? null : await userNameStore.addressOf(this.parts.db, label);
    const profile = address && (await this.profileOf(address));
    return profile ? { address, texts: { [USER_PROFILE_RECORD]: dataRecord(profile), name } } : null;
  }

  async #checkSignature(address: EthAddress, text: string, signature: string): Promise<void> {
    const published = await this.profileOf(address);
    if (!published) throw new NoProfileError();
    const { signing } = parseUserProfile(published).keys;
    if (!verifyText(this.parts.crypto, signing, text, signature)) throw new ClaimForgedError({ text });
  }

  /** @throws NameTakenError unless the label is the address's own */
  async #checkOwn(label: string, address: EthAddress): Promise<void> {
    const conflicts = await userNameStore.conflicts(this.parts.db, label, address);
    const own = conflicts.find((conflict) => conflict.address === address);
    if (own?.label === label) return;
    if (own) throw new NameTakenError({ reason: `the profile has a name already, ${own.label}.${this.#users}` });
    const same = conflicts.some((conflict) => conflict.label === label);
    throw new NameTakenError({ reason: same ? 'the name is taken' : 'the name looks like one that is taken' });
  }

  #labelIn(name: string): string {
    const suffix = `.${this.#users}`;
    if (!name.toLowerCase().endsWith(suffix))
      throw new SubdomainUnsupportedError({ subdomain: name, ours: this.#users });
    return name.slice(0, -suffix.length);
  }

  #addressIn(addressName: string): EthAddress {
    const [first, ...suffix] = addressName.toLowerCase().split('.');
    const address = parseEthAddress(first!);
    if (address && suffix.join('.') === this.#addresses) return address;
    throw new SubdomainUnsupportedError({ subdomain: addressName, ours: this.#addresses });
  }
}
