import type { Clock } from '../common/clock.js';
import { GatewayError } from '../common/errors.js';
import { parseEthAddress, type EnsName, type EthAddress } from '../common/ids.js';
import { parseUserProfile } from '../protocol/profile/user-profile.js';
import { parseRecord, USER_PROFILE_RECORD } from '../protocol/profile/record.js';
import type { AliasNames } from './alias/alias-names.js';
import type { TopLevelDirectory } from './alias/top-level-directory.js';
import { BoundedCache } from './bounded-cache.js';
import type { NameRecords, RecordSource } from './ccip-read/records.js';
import { addressNameOf, normaliseName, parseAddressName } from './ens-name.js';
import type { EnsClient } from './ens-client.js';
import { ProfileNotFoundError } from './errors.js';
import type { ProfileResolver, ResolvedProfile } from './profile-resolver.js';

interface Parts {
  readonly rootName: EnsName;
  readonly ens: Pick<EnsClient, 'resolveAddress' | 'primaryName'>;
  readonly profiles: Pick<ProfileResolver, 'userProfile'>;
  readonly aliases: AliasNames;
  readonly topLevel: Pick<TopLevelDirectory, 'expand' | 'shorten'>;
  readonly clock: Clock;
  /** How long ENS is believed about an address. */
  readonly positiveTtlMs: number;
  /** How long ENS is believed that a name has no address. */
  readonly negativeTtlMs: number;
}

const MAX_ADDRESSES = 10_000;

/**
 * The one door for "who is this name". Names that this service serves itself are answered from their source, without
 * a round trip through the chain and back over HTTP; all others go through ENS.
 */
export class NameService {
  readonly #sources: RecordSource[] = [];
  readonly #addresses: BoundedCache<EthAddress | null>;

  constructor(private readonly parts: Parts) {
    const { clock, positiveTtlMs, negativeTtlMs } = parts;
    const ttlMs = (address: EthAddress | null) => (address ? positiveTtlMs : negativeTtlMs);
    this.#addresses = new BoundedCache({ clock, maxEntries: MAX_ADDRESSES, ttlMs });
  }

  /** Sources are asked in the order they were added; the first that knows the name answers. */
  addSource(source: RecordSource): void {
    this.#sources.push(source);
  }

  /**
   * Normalised, and with a top-level alias written out: `alice._at.example.com.email` is a name under our root.
   * @throws InvalidNameError
   */
  async canonical(text: string): Promise<EnsName> {
    return this.parts.topLevel.expand(normaliseName(text), (name) => this.parts.aliases.accepts(name));
  }

  /** For people: the top-level alias form where there is one. */
  display(name: EnsName): EnsName {
    return this.parts.topLevel.shorten(name);
  }

  /** What we serve for a name ourselves; null if the name is not ours or has no records. */
  async localRecords(name: EnsName): Promise<NameRecords | null> {
    for (const source of this.#sources) {
      const records = await source.find(name);
      if (records) return records;
    }
    return null;
  }

  /**
   * The address a name stands for. `0x….addr.<anything>` is its own address: real clients use such names for people
   * whose subdomain provider we need not know (dm3 names people by address). Answers of ENS are cached for a bounded
   * time; failures to look a name up never are.
   * @throws NamingUnavailableError
   */
  async resolveAddress(name: EnsName): Promise<EthAddress | null> {
    const literal = parseAddressName(name);
    if (literal) return literal;
    const local = await this.localRecords(name);
    return local ? local.address : this.#addresses.get(name, () => this.parts.ens.resolveAddress(name));
  }

  /**
   * The dm3 profile of a name, its owner's signature checked.
   * @param maxAgeMs for a caller who has reason to doubt what is known: what is older is looked up again
   * @throws NameNotFoundError, ProfileNotFoundError, ProfileInvalidError; NamingUnavailableError
   */
  async userProfile(name: EnsName, maxAgeMs?: number): Promise<ResolvedProfile> {
    const local = await this.localRecords(name);
    if (!local) return this.parts.profiles.userProfile(name, maxAgeMs);
    const record = local.texts[USER_PROFILE_RECORD];
    if (record === undefined) throw new ProfileNotFoundError({ name });
    const parsed = parseRecord(record);
    if (parsed.kind !== 'data') throw new ProfileNotFoundError({ name });
    return { name, address: local.address, ownerVerified: true, ...parseUserProfile(parsed.json) };
  }

  /** The name an address calls itself, forward-checked, whether it uses dm3 or not. @throws NamingUnavailableError */
  claimedName(address: EthAddress): Promise<EnsName | null> {
    return this.parts.ens.primaryName(address);
  }

  /** The name an address calls itself, forward-checked and with a dm3 profile; null if it has none. */
  async primaryName(address: EthAddress): Promise<EnsName | null> {
    const name = await this.claimedName(address);
    if (!name) return null;
    try {
      const { address: owner } = await this.userProfile(name);
      return owner === address ? name : null;
    } catch (error) {
      if (error instanceof GatewayError && !error.retryable) return null; // nobody can be reached by that name
      throw error;
    }
  }

  /** `0x….addr.<root>`: reachable for everybody who has an account here. */
  addressName(address: EthAddress): EnsName {
    return addressNameOf(address, this.parts.rootName);
  }

  /** The name for a bare address as people type it: its primary name, else its address name under our root. */
  async nameOfAddress(text: string): Promise<EnsName | null> {
    const address = parseEthAddress(text);
    if (!address) return null;
    return (await this.primaryName(address)) ?? this.addressName(address);
  }
}
