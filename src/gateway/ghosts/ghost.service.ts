import type { Clock } from '../../common/clock.js';
import type { EnsName, EthAddress, ForeignAddress, NetworkId } from '../../common/ids.js';
import { AliasNameError, type AliasNames } from '../../naming/alias/alias-names.js';
import type { NameRecords, RecordSource } from '../../naming/ccip-read/records.js';
import { parseAddressName } from '../../naming/ens-name.js';
import type { ProfileKeys } from '../../protocol/crypto/keys.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { toBase64 } from '../../protocol/encoding/base64.js';
import { dataRecord, USER_PROFILE_RECORD } from '../../protocol/profile/record.js';
import { signProfile, type SignedUserProfile } from '../../protocol/profile/user-profile.js';
import type { Database, Queryable } from '../../storage/database.js';
import type { GhostKeys } from './ghost-keys.js';
import type { GhostStore } from './ghost.store.js';

/** The identity the gateway holds for a foreign address. */
export interface Ghost {
  readonly foreign: ForeignAddress;
  readonly network: NetworkId;
  /** Alias name under the root. */
  readonly name: EnsName;
  readonly address: EthAddress;
  readonly keyVersion: number;
  /** dm3 keys of the current version. */
  readonly keys: ProfileKeys;
  readonly profile: SignedUserProfile;
}

interface Parts {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly db: Database;
  readonly keys: GhostKeys;
  readonly store: GhostStore;
  readonly aliases: AliasNames;
  /** The delivery service ghosts list in their profiles: ours. */
  readonly deliveryService: EnsName;
  /** For people, per network: `alice@example.com`. */
  readonly formatAddress: (foreign: ForeignAddress) => string;
}

const CACHED = 2_000;
/** Names are looked up by strangers: what they make us write down is bounded. */
const NOTED_PER_MINUTE = 600;
const MINUTE_MS = 60_000;

/** Makes ghosts, finds them by name and by address, and serves their ENS records. */
export class GhostService implements RecordSource {
  /** Ghosts are pure functions of the root secret: kept only because deriving one costs a signature. */
  readonly #made = new Map<string, Ghost>();
  #noted = { minute: 0, count: 0 };

  constructor(private readonly parts: Parts) {}

  /** @throws InvalidForeignAddressError */
  ofForeign(foreign: ForeignAddress, keyVersion = 1): Ghost {
    const canonical = this.parts.aliases.canonical(foreign);
    const key = `${keyVersion} ${canonical}`;
    const ghost = this.#made.get(key) ?? this.#make(canonical, keyVersion);
    this.#made.delete(key);
    this.#made.set(key, ghost);
    if (this.#made.size > CACHED) this.#made.delete(this.#made.keys().next().value!);
    return ghost;
  }

  /** By alias name, or by `0x….addr.<anything>` when we know the address. Null if the name is not a ghost's. */
  async byName(name: EnsName): Promise<Ghost | null> {
    const alias = this.#parse(name);
    if (alias?.kind === 'address') return this.ofForeign(alias.address);
    if (alias?.kind === 'hashed') return this.#fromRow(await this.parts.store.byName(this.parts.db, name));
    const address = parseAddressName(name);
    return address ? this.byAddress(address) : null;
  }

  /** @param db the transaction, where one is open: a second connection would wait for the pool while holding the first */
  async byAddress(address: EthAddress, db: Queryable = this.parts.db): Promise<Ghost | null> {
    return this.#fromRow(await this.parts.store.byAddress(db, address));
  }

  /** Keys of every version that may still be under way, the current first. */
  openingKeys({ foreign, keyVersion }: Ghost): ProfileKeys[] {
    const versions = Array.from({ length: keyVersion }, (_, older) => keyVersion - older);
    return versions.map((version) => this.parts.keys.dm3(foreign, version));
  }

  /** From now on the ghost is found by its address alone. */
  async remember(db: Queryable, ghost: Ghost): Promise<void> {
    await this.parts.store.remember(db, ghost, { used: true });
  }

  /** Records for the ghost's alias name and its address name (ENSIP-5 keys, and dm3's). */
  async find(name: EnsName): Promise<NameRecords | null> {
    const ghost = await this.byName(name);
    if (!ghost) return null;
    await this.#note(ghost);
    const shown = this.parts.formatAddress(ghost.foreign);
    const texts = {
      [USER_PROFILE_RECORD]: dataRecord(ghost.profile),
      name: shown,
      url: ghost.foreign,
      description: `${shown} on ${ghost.network}, reached through a gateway: messages are end-to-end encrypted up to the gateway only, which passes them on in the clear.`,
    };
    return { address: ghost.address, texts };
  }

  async #note(ghost: Ghost): Promise<void> {
    const { db, store } = this.parts;
    if ((await store.byAddress(db, ghost.address)) || !this.#mayNote()) return;
    await store.remember(db, ghost, { used: false });
  }

  #mayNote(): boolean {
    const minute = Math.floor(this.parts.clock.now() / MINUTE_MS);
    if (minute !== this.#noted.minute) this.#noted = { minute, count: 0 };
    this.#noted.count += 1;
    return this.#noted.count <= NOTED_PER_MINUTE;
  }

  #parse(name: EnsName) {
    try {
      return this.parts.aliases.parse(name);
    } catch (error) {
      if (error instanceof AliasNameError) return null;
      throw error;
    }
  }

  #fromRow(row: { foreign: ForeignAddress; keyVersion: number } | null): Ghost | null {
    return row && this.ofForeign(row.foreign, row.keyVersion);
  }

  #make(foreign: ForeignAddress, keyVersion: number): Ghost {
    const { crypto, keys: ghostKeys, aliases, deliveryService } = this.parts;
    const keys = ghostKeys.dm3(foreign, keyVersion);
    const profile = {
      publicEncryptionKey: toBase64(keys.encryption.publicKey),
      publicSigningKey: toBase64(keys.signing.publicKey),
      deliveryServices: [deliveryService],
    };
    return {
      foreign,
      network: aliases.networkOf(foreign),
      name: aliases.nameOf(foreign),
      address: ghostKeys.address(foreign),
      keyVersion,
      keys,
      profile: signProfile(crypto, profile, ghostKeys.wallet(foreign)),
    };
  }
}
