import type { Clock } from '../../common/clock.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { profileLinkMessage, type ProfileLink } from '../../protocol/profile/profile-link.js';
import type { Database } from '../../storage/database.js';
import type { AdapterRegistry } from '../adapters.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import { LinkBrokenError, LinkForgedError, LinkNotBegunError, LinkUnsignedError } from './errors.js';
import { linkLetter } from './letters.js';
import type { LinkCodes, LinkProof } from './link-codes.js';
import type { LinkParties } from './link-parties.js';
import type { Link, SignedLink } from './link.js';
import type { LinkStore } from './link.store.js';
import type { LinkedProfiles } from './linked-profiles.js';
import { newLink, publishLink, signerOf } from './new-link.js';
import type { OwnerSignatures } from './owner-signatures.js';

interface Parts {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly db: Database;
  readonly store: LinkStore;
  readonly parties: LinkParties;
  readonly ghosts: GhostService;
  readonly adapters: Pick<AdapterRegistry, 'format'>;
  readonly signatures: OwnerSignatures;
  readonly codes: LinkCodes;
  readonly links: LinkedProfiles;
  /** Of this service: where links are made. */
  readonly publicUrl: string;
}

/** Who shall be linked, and how. */
export interface LinkWish {
  /** Somebody outside dm3: `alice@example.com`, or the name that stands for it. */
  readonly address: string;
  /** The dm3 name of the same person. */
  readonly name: string;
  /** What the owner of that name signs with. */
  readonly type: ProfileLink['type'];
  /** How long the link shall hold. */
  readonly days: number;
}

/** How long there is to sign, and to type the code in. */
export const REQUEST_SECONDS = 3_600;

/**
 * Makes links (dm3 LPP): the owner of the dm3 name signs a text that holds for this link alone, the owner of the foreign
 * address types in a code that was sent there, and only then is the link published. A step that is broken off leaves
 * nothing that counts: it is taken again, or its row goes after an hour.
 */
export class LinkRequests {
  constructor(private readonly parts: Parts) {}

  /** @throws what `LinkParties` throws */
  async begin({ address, name, type, days }: LinkWish): Promise<Link> {
    const { db, store, parties } = this.parts;
    const ghost = await parties.outsider(address);
    parties.challenger(ghost);
    const link = newLink(this.parts, { ghost, ...(await parties.owner(name)), type, days });
    await store.begin(db, link, ghost.address, REQUEST_SECONDS);
    return link;
  }

  /**
   * Takes the owner's signature and sends the code; once more, to send another code.
   * @throws LinkNotBegunError, LinkForgedError, CodeTooSoonError, CodeNotSentError; NamingUnavailableError (retry)
   */
  async sign(id: string, signature: string): Promise<void> {
    const { adapters, codes, signatures, store, publicUrl } = this.parts;
    const { link, proof } = await this.#begun(id);
    const { main, profileLink } = link;
    if (!(await signatures.isBy(profileLink.type, link, profileLinkMessage(profileLink), signature))) {
      throw new LinkForgedError({ by: signerOf(link) });
    }
    const letter = linkLetter({ shown: adapters.format(link.foreign), name: main, host: new URL(publicUrl).host });
    await codes.send(proof, letter, (tx) => store.sign(tx, { ...link, signature }));
  }

  /**
   * Publishes the link, in place of another one of the same address.
   * @throws LinkNotBegunError, LinkUnsignedError, LinkBrokenError, CodeRefusedError; NamingUnavailableError (retry)
   */
  async confirm(id: string, code: string): Promise<SignedLink> {
    const { codes, links, store, ghosts } = this.parts;
    const { link, proof } = await this.#begun(id);
    if (link.signature === null) throw new LinkUnsignedError();
    const signed = { ...link, signature: link.signature };
    if (!(await links.holds(signed))) throw new LinkBrokenError({ name: link.main });
    const { ghost } = proof;
    await codes.redeem(proof, code, (tx) => publishLink(tx, { store, ghosts }, { link: signed, ghost }));
    return signed;
  }

  async #begun(id: string): Promise<{ link: Link; proof: LinkProof & { ghost: Ghost } }> {
    const { db, store, ghosts } = this.parts;
    const link = await store.begun(db, id);
    if (!link) throw new LinkNotBegunError();
    const proof = { ghost: ghosts.ofForeign(link.foreign), account: link.owner, purpose: `link ${id}` };
    return { link, proof };
  }
}
