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
import type { KeyHistory, KeyVersion } from './key-history.js';
import { openedSeconds } from './key-times.js';
import { RecentlyMade } from './recently-made.js';

/** The identity the gateway holds for a foreign address. It never changes. */
export interface Ghost {
  readonly foreign: ForeignAddress;
  readonly network: NetworkId;
  /** Alias name under the root. */
  readonly name: EnsName;
  readonly address: EthAddress;
}

/** What a ghost signs with and publishes at the moment. */
export interface CurrentKeys {
  readonly version: number;
  readonly keys: ProfileKeys;
  readonly profile: SignedUserProfile;
}

/** What may open a message to a ghost, newest first. */
export interface OpeningKeys {
  /** Those that its sender may have taken for current. */
  readonly valid: readonly ProfileKeys[];
  /** Those that were replaced too long before. */
  readonly replaced: readonly ProfileKeys[];
}

interface Parts {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly db: Database;
  readonly keys: GhostKeys;
  readonly history: KeyHistory;
  readonly store: GhostStore;
  readonly aliases: AliasNames;
  /** The delivery service ghosts list in their profiles: ours. */
  readonly deliveryService: EnsName;
  /** For people, per network: `alice@example.com`. */
  readonly formatAddress: (foreign: ForeignAddress) => string;
  /** How long others may believe a profile that was replaced. */
  readonly profileBelievedSeconds: number;
}

const CACHED = 2_000;
/** How much later than others a process may see a rotation, where nothing is lost by it. */
const STALE_MS = 1_000;
/** Names are looked up by strangers: what they make us write down is bounded. */
const NOTED_PER_MINUTE = 600;
const MINUTE_MS = 60_000;

/** Makes ghosts, finds them by name and by address, and serves their ENS records. */
export class GhostService implements RecordSource {
  /** Ghosts are pure functions of the root secret: kept only because deriving one costs curve arithmetic. */
  readonly #ghosts = new RecentlyMade<Ghost>(CACHED);
  readonly #current = new RecentlyMade<CurrentKeys>(CACHED);
  #noted = { minute: 0, count: 0 };

  constructor(private readonly parts: Parts) {}

  /** @throws InvalidForeignAddressError */
  ofForeign(foreign: ForeignAddress): Ghost {
    const canonical = this.parts.aliases.canonical(foreign);
    return this.#ghosts.get(canonical, () => this.#make(canonical));
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

  async currentKeys(ghost: Ghost): Promise<CurrentKeys> {
    const [{ version }] = await this.parts.history.versionsOf(ghost.address, STALE_MS);
    return this.#current.get(`${version} ${ghost.foreign}`, () => this.#makeCurrent(ghost, version));
  }

  /**
   * Keys that open what was accepted at a time, however long it waits: those replaced up to the longest retry before
   * it, since their sender may have looked the profile up a moment before the rotation and tried all that time.
   */
  async openingKeys({ address, foreign }: Ghost, acceptedAt: Date): Promise<OpeningKeys> {
    const { history, keys, profileBelievedSeconds } = this.parts;
    const versions = await history.versionsOf(address); // read now: the message may be for keys of this second
    const oldest = acceptedAt.getTime() - openedSeconds(profileBelievedSeconds) * 1_000;
    const isValid = ({ replacedAt }: KeyVersion) => replacedAt === null || replacedAt.getTime() >= oldest;
    const keysOf = (some: readonly KeyVersion[]) => some.map(({ version }) => keys.dm3(foreign, version));
    return {
      valid: keysOf(versions.filter(isValid)),
      replaced: keysOf(versions.filter((version) => !isValid(version))),
    };
  }

  /** True while others may still believe the former profile, and so take the ghost's signature for a forgery. */
  async isNewlyKeyed({ address }: Ghost): Promise<boolean> {
    const { history, clock, profileBelievedSeconds } = this.parts;
    const [{ since }] = await history.versionsOf(address);
    return since !== null && clock.now() - since.getTime() < profileBelievedSeconds * 1_000;
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
    const { profile } = await this.currentKeys(ghost);
    const shown = this.parts.formatAddress(ghost.foreign);
    const texts = {
      [USER_PROFILE_RECORD]: dataRecord(profile),
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

  #fromRow(foreign: ForeignAddress | null): Ghost | null {
    return foreign && this.ofForeign(foreign);
  }

  #make(foreign: ForeignAddress): Ghost {
    const { keys, aliases } = this.parts;
    return {
      foreign,
      network: aliases.networkOf(foreign),
      name: aliases.nameOf(foreign),
      address: keys.address(foreign),
    };
  }

  #makeCurrent({ foreign }: Ghost, version: number): CurrentKeys {
    const { crypto, keys: ghostKeys, deliveryService } = this.parts;
    const keys = ghostKeys.dm3(foreign, version);
    const profile = {
      publicEncryptionKey: toBase64(keys.encryption.publicKey),
      publicSigningKey: toBase64(keys.signing.publicKey),
      deliveryServices: [deliveryService],
    };
    return { version, keys, profile: signProfile(crypto, profile, ghostKeys.wallet(foreign)) };
  }
}
