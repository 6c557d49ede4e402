import { isRetryable } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import type { BoundedCache } from '../../naming/bounded-cache.js';
import type { NameService } from '../../naming/name-service.js';
import { profileLinkMessage } from '../../protocol/profile/profile-link.js';
import type { Database, Queryable } from '../../storage/database.js';
import type { SignedLink } from './link.js';
import type { LinkStore } from './link.store.js';
import type { OwnerSignatures } from './owner-signatures.js';

interface Parts {
  readonly db: Database;
  readonly store: LinkStore;
  readonly names: Pick<NameService, 'resolveAddress'>;
  readonly signatures: OwnerSignatures;
  /** What the chain said of wallets' signatures; bounded in time, since a contract may change its mind. */
  readonly believed: BoundedCache<boolean>;
}

/** Links that one person shows of one name. */
const MAX_LINKS = 100;

/**
 * The links that hold. Whether one was removed or has expired is asked of the database each time; what ENS says of its
 * owner is believed as long as everywhere else (`ens.cacheSeconds`).
 */
export class LinkedProfiles {
  constructor(private readonly parts: Parts) {}

  /** @throws NamingUnavailableError if nobody can tell whether the link holds */
  async ofGhost(ghost: EthAddress): Promise<SignedLink | null> {
    const link = await this.recorded(this.parts.db, ghost);
    return link && (await this.holds(link)) ? link : null;
  }

  /** Null also while nobody can tell: for where a name is shown and nothing follows from it. */
  async shownOf(ghost: EthAddress): Promise<SignedLink | null> {
    try {
      return await this.ofGhost(ghost);
    } catch (error) {
      if (isRetryable(error)) return null;
      throw error;
    }
  }

  /** Of all the names of an address. @throws NamingUnavailableError */
  async ofOwner(owner: EthAddress): Promise<SignedLink[]> {
    const links = await this.parts.store.ofOwner(this.parts.db, owner, MAX_LINKS);
    const hold = await Promise.all(links.map((link) => this.holds(link)));
    return links.filter((_, index) => hold[index]);
  }

  /** Published, neither removed nor expired; ENS is not asked. @param db the transaction, where one is open */
  recorded(db: Queryable, ghost: EthAddress): Promise<SignedLink | null> {
    return this.parts.store.ofGhost(db, ghost);
  }

  /**
   * Whether the dm3 name is still its signer's, and the signature still counts: after a change of keys a `ProfileLink`
   * does not.
   * @throws NamingUnavailableError
   */
  async holds(link: SignedLink): Promise<boolean> {
    const { names, signatures, believed } = this.parts;
    const { profileLink, signature } = link;
    if ((await names.resolveAddress(link.main)) !== link.owner) return false;
    const check = () => signatures.isBy(profileLink.type, link, profileLinkMessage(profileLink), signature);
    // A profile has a cache of its own: two in a row would be believed for twice as long.
    return profileLink.type === 'EthAddressLink' ? believed.get(link.id, check) : check();
  }
}
