import { profileLinkRemovalMessage } from '../../protocol/profile/profile-link.js';
import type { Database } from '../../storage/database.js';
import type { AdapterRegistry } from '../adapters.js';
import { LinkForgedError, NotLinkedError } from './errors.js';
import { removalLetter } from './letters.js';
import type { LinkCodes, LinkProof } from './link-codes.js';
import type { LinkParties } from './link-parties.js';
import type { SignedLink } from './link.js';
import type { LinkStore } from './link.store.js';
import type { OwnerSignatures } from './owner-signatures.js';

interface Parts {
  readonly db: Database;
  readonly store: LinkStore;
  readonly parties: LinkParties;
  readonly adapters: Pick<AdapterRegistry, 'format'>;
  readonly signatures: OwnerSignatures;
  readonly codes: LinkCodes;
  readonly publicUrl: string;
}

/** Takes links back, for either side. It is done when the call returns, in all processes. */
export class LinkRemoval {
  constructor(private readonly parts: Parts) {}

  /**
   * Sends the owner of the foreign address a code. Anybody may ask for it.
   * @throws NotLinkedError, CodeTooSoonError, CodeNotSentError
   */
  async sendCode(address: string): Promise<void> {
    const { adapters, codes, publicUrl } = this.parts;
    const { link, proof } = await this.#published(address);
    const shown = adapters.format(link.foreign);
    await codes.send(proof, removalLetter({ shown, name: link.main, host: new URL(publicUrl).host }));
  }

  /** @throws NotLinkedError, CodeRefusedError */
  async byCode(address: string, code: string): Promise<void> {
    const { codes, store } = this.parts;
    const { link, proof } = await this.#published(address);
    await codes.redeem(proof, code, (tx) => store.remove(tx, link.id));
  }

  /**
   * @param signature over the link's removal text, by the wallet that signed it or the profile's present signing key
   * @throws NotLinkedError, LinkForgedError; NamingUnavailableError (retry)
   */
  async bySignature(address: string, signature: string): Promise<void> {
    const { db, store } = this.parts;
    const { link } = await this.#published(address);
    if (!(await this.#isByOwner(link, signature))) throw new LinkForgedError({ by: `the owner of ${link.main}` });
    await store.remove(db, link.id);
  }

  async #isByOwner(link: SignedLink, signature: string): Promise<boolean> {
    const text = profileLinkRemovalMessage(link.profileLink);
    const type = signature.startsWith('0x') ? 'EthAddressLink' : 'ProfileLink';
    return this.parts.signatures.isBy(type, link, text, signature);
  }

  async #published(address: string): Promise<{ link: SignedLink; proof: LinkProof }> {
    const { db, store, parties } = this.parts;
    const ghost = await parties.outsider(address);
    const link = await store.ofGhost(db, ghost.address);
    if (!link) throw new NotLinkedError();
    return { link, proof: { ghost, account: ghost.address, purpose: `remove link ${link.id}` } };
  }
}
