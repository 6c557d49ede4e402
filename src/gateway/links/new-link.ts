import { randomInt, randomUUID } from 'node:crypto';
import type { Clock } from '../../common/clock.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import { checksumAddress } from '../../protocol/crypto/keys.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import type { ProfileLink } from '../../protocol/profile/profile-link.js';
import type { Tx } from '../../storage/database.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import { LinkNotBegunError } from './errors.js';
import type { Link, SignedLink } from './link.js';
import type { LinkStore } from './link.store.js';

interface Maker {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  /** Of this service: where links are made. */
  readonly publicUrl: string;
}

/** Both sides, and how the owner of the name proves himself. */
interface Wish {
  readonly ghost: Ghost;
  readonly main: EnsName;
  readonly owner: EthAddress;
  readonly type: ProfileLink['type'];
  /** How long the link shall hold. */
  readonly days: number;
}

const DAY_SECONDS = 86_400;
/** Numbers up to here are safe in JSON, and `randomInt` makes none larger. */
const NONCES = 2 ** 48 - 1;

/** What the owner of a dm3 name has to sign: a text that holds for this link alone. */
export function newLink({ crypto, clock, publicUrl }: Maker, { ghost, main, owner, type, days }: Wish): Link {
  const issuedAt = Math.floor(clock.now() / 1_000);
  const profileLink: ProfileLink = {
    type,
    mainId: type === 'ProfileLink' ? main : checksumAddress(crypto, owner),
    linkedProfile: ghost.name,
    scopeUri: publicUrl,
    issuedAt,
    expirationTime: issuedAt + days * DAY_SECONDS,
    nonce: randomInt(NONCES),
  };
  return { id: randomUUID(), foreign: ghost.foreign, main, owner, profileLink, signature: null };
}

/** What the owner of a link's name signs with, for the sentence that says it was not him. */
export function signerOf({ main, profileLink: { type } }: Link): string {
  const key = type === 'ProfileLink' ? 'the signing key of its profile' : 'the wallet it resolves to';
  return `the owner of ${main}, with ${key}`;
}

/** In place of another link of the same ghost. @throws LinkNotBegunError if it is not being made any more */
export async function publishLink(
  tx: Tx,
  { store, ghosts }: { store: LinkStore; ghosts: GhostService },
  { link, ghost }: { link: SignedLink; ghost: Ghost },
): Promise<void> {
  await store.lock(tx, ghost.address);
  if (!(await store.publish(tx, link, ghost.address))) throw new LinkNotBegunError();
  await ghosts.remember(tx, ghost);
}
