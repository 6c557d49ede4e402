import type { EnsName, EthAddress, ForeignAddress } from '../../common/ids.js';
import type { ProfileLink } from '../../protocol/profile/profile-link.js';

/** Somebody outside dm3, and the dm3 name that is said to be the same person's. */
export interface Link {
  /** UUID of its row. */
  readonly id: string;
  readonly foreign: ForeignAddress;
  /** The dm3 name. */
  readonly main: EnsName;
  /** What that name resolved to when the link was begun: whose it is. */
  readonly owner: EthAddress;
  /** What the owner signs. */
  readonly profileLink: ProfileLink;
  /** Null until the owner has signed. */
  readonly signature: string | null;
}

export type SignedLink = Link & { readonly signature: string };
