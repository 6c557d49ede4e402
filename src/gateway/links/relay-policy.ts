import type { ForeignAddress } from '../../common/ids.js';
import { GatewayError } from '../../common/errors.js';
import type { AccountService } from '../../delivery/accounts/account.service.js';
import { InvalidForeignAddressError } from '../../naming/alias/codec.js';
import type { ForeignMessage } from '../adapter/adapter.js';
import { RelayRefusedError } from '../adapter/errors.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { LinkedProfiles } from './linked-profiles.js';

interface Parts {
  readonly ghosts: Pick<GhostService, 'ofForeign' | 'byName'>;
  readonly links: Pick<LinkedProfiles, 'ofGhost'>;
  readonly accounts: Pick<AccountService, 'profileOf'>;
}

/**
 * Who may write from one foreign network to another: whoever is somebody of dm3, too. Such a message counts as written
 * by the linked dm3 name, which gets the answers and is told of failures; so that name must have a profile.
 */
export class RelayPolicy {
  constructor(private readonly parts: Parts) {}

  /** Before the message is here, and the sender proved. @throws RelayRefusedError; NamingUnavailableError (retry) */
  async checkSender(from: ForeignAddress | undefined): Promise<void> {
    const ghost = from === undefined ? null : this.#ghostOf(from);
    if (!ghost || !(await this.#isLinked(ghost))) throw new RelayRefusedError();
  }

  /** @throws RelayRefusedError; NamingUnavailableError (retry) */
  async check({ from, identity, to }: Pick<ForeignMessage, 'from' | 'identity' | 'to'>): Promise<void> {
    const ghosts = await Promise.all(to.map(({ name }) => this.parts.ghosts.byName(name)));
    if (ghosts.every((ghost) => ghost === null)) return;
    if (identity.verdict !== 'verified') throw new RelayRefusedError();
    await this.checkSender(from);
  }

  async #isLinked({ address }: Ghost): Promise<boolean> {
    const link = await this.parts.links.ofGhost(address);
    if (!link) return false;
    try {
      await this.parts.accounts.profileOf(link.main, link.owner);
      return true;
    } catch (error) {
      if (error instanceof GatewayError && !error.retryable) return false;
      throw error;
    }
  }

  #ghostOf(from: ForeignAddress): Ghost | null {
    try {
      return this.parts.ghosts.ofForeign(from);
    } catch (error) {
      if (error instanceof InvalidForeignAddressError) return null;
      throw error;
    }
  }
}
