import type { Clock } from '../../common/clock.js';
import type { EnsName, ForeignAddress } from '../../common/ids.js';
import type { AccountService } from '../../delivery/accounts/account.service.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { profileLinkMessage, type ProfileLink } from '../../protocol/profile/profile-link.js';
import type { Database } from '../../storage/database.js';
import type { LinkDesk, LinkOffer, LinkSigner } from '../adapter/adapter.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import { LinkBrokenError, LinkForgedError, LinkNotBegunError, LinksOffError, LinkTextChangedError } from './errors.js';
import type { LinkParties } from './link-parties.js';
import { REQUEST_SECONDS } from './link-requests.js';
import type { Link } from './link.js';
import type { LinkStore, OpenLink } from './link.store.js';
import type { LinkedProfiles } from './linked-profiles.js';
import { newLink, publishLink, signerOf } from './new-link.js';
import type { OwnerSignatures } from './owner-signatures.js';

interface Parts {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly db: Database;
  readonly store: LinkStore;
  readonly parties: Pick<LinkParties, 'owner'>;
  readonly ghosts: GhostService;
  readonly accounts: Pick<AccountService, 'profileOf'>;
  readonly signatures: OwnerSignatures;
  readonly links: LinkedProfiles;
  /** Of this service: where links are made. */
  readonly publicUrl: string;
  /** Whether the operator lets people make links; those that were made can be looked up and taken back even so. */
  readonly isOn: boolean;
}

const TYPES = { wallet: 'EthAddressLink', profile: 'ProfileLink' } as const satisfies Record<
  LinkSigner,
  ProfileLink['type']
>;
const DAYS = 365;
/** Two calls at once may both begin a link. */
const MAX_OPEN = 10;
/** With less time than that left to sign, another text is given. */
const FRESH_SECONDS = REQUEST_SECONDS / 2;

/**
 * Links for networks that vouch for their people: what a mailed code proves elsewhere, the network has said already. The
 * owner of the dm3 name signs, and the link is published in one transaction with the end of what was signed.
 */
export class LinkDeskService implements LinkDesk {
  constructor(private readonly parts: Parts) {}

  async of(from: ForeignAddress): Promise<EnsName | null> {
    const { ghosts, links } = this.parts;
    return (await links.ofGhost(ghosts.ofForeign(from).address))?.main ?? null;
  }

  async begun(from: ForeignAddress): Promise<LinkOffer | null> {
    const [link] = await this.#openOf(this.parts.ghosts.ofForeign(from));
    return link ? offerOf(link) : null;
  }

  async begin(from: ForeignAddress, name: string, signer: LinkSigner): Promise<LinkOffer> {
    this.#checkOn();
    const { parties, ghosts, accounts } = this.parts;
    const ghost = ghosts.ofForeign(from);
    const { main, owner } = await parties.owner(name);
    if (signer === 'profile') await accounts.profileOf(main, owner);
    const type = TYPES[signer];
    const isTheSame = (link: OpenLink) =>
      link.main === main && link.owner === owner && link.profileLink.type === type && link.secondsLeft > FRESH_SECONDS;
    const same = (await this.#openOf(ghost)).find(isTheSame);
    return offerOf(same ?? (await this.#begin(newLink(this.parts, { ghost, main, owner, type, days: DAYS }), ghost)));
  }

  async finish(from: ForeignAddress, name: string, signature: string): Promise<EnsName> {
    this.#checkOn();
    const { db, store, ghosts, parties, links } = this.parts;
    const ghost = ghosts.ofForeign(from);
    const { main } = await parties.owner(name);
    const proof = tidy(signature);
    const made = await links.recorded(db, ghost.address);
    if (made?.main === main && made.signature === proof) return main; // said again
    const link = (await this.#openOf(ghost)).find((open) => open.main === main);
    if (!link) throw new LinkNotBegunError();
    const { secondsLeft: _, ...begun } = link;
    await this.#checkSignature(begun, proof);
    const signed = { ...begun, signature: proof };
    if (!(await links.holds(signed))) throw new LinkBrokenError({ name: main });
    await db.transaction(async (tx) => {
      await store.sign(tx, signed);
      await publishLink(tx, { store, ghosts }, { link: signed, ghost });
    });
    return main;
  }

  async remove(from: ForeignAddress): Promise<EnsName | null> {
    const { db, store, ghosts } = this.parts;
    const { address } = ghosts.ofForeign(from);
    return db.transaction(async (tx) => {
      const link = await store.ofGhost(tx, address);
      await store.removeOpen(tx, address);
      if (link) await store.remove(tx, link.id);
      return link?.main ?? null;
    });
  }

  #checkOn(): void {
    if (!this.parts.isOn) throw new LinksOffError();
  }

  #openOf({ address }: Ghost): Promise<OpenLink[]> {
    return this.parts.store.openOf(this.parts.db, address, MAX_OPEN);
  }

  async #begin(link: Link, { address }: Ghost): Promise<OpenLink> {
    const { db, store } = this.parts;
    await db.transaction(async (tx) => {
      await store.removeOpen(tx, address);
      await store.begin(tx, link, address, REQUEST_SECONDS);
    });
    return { ...link, secondsLeft: REQUEST_SECONDS };
  }

  /** @throws LinkForgedError, LinkTextChangedError; NamingUnavailableError */
  async #checkSignature(link: Link, signature: string): Promise<void> {
    const { signatures } = this.parts;
    const text = profileLinkMessage(link.profileLink);
    const isOf = (signed: string) => signatures.isBy(link.profileLink.type, link, signed, signature);
    if (await isOf(text)) return;
    // What is published has to hold for everybody: it cannot be taken all the same.
    throw (await isOf(`${text}\n`)) ? new LinkTextChangedError() : new LinkForgedError({ by: signerOf(link) });
  }
}

function offerOf({ main, profileLink, secondsLeft }: OpenLink): LinkOffer {
  const signer = profileLink.type === TYPES.wallet ? 'wallet' : 'profile';
  return { name: main, signer, text: profileLinkMessage(profileLink), secondsLeft };
}

/** As the signature is published: people copy it from all kinds of places. */
function tidy(signature: string): string {
  const bare = signature.replace(/\s+/g, '');
  if (/^[0-9a-f]{130}$/i.test(bare)) return `0x${bare.toLowerCase()}`; // a key's signature, without its prefix
  return /^0x[0-9a-f]*$/i.test(bare) ? bare.toLowerCase() : bare;
}
