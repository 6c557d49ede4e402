import type { EnsName, EthAddress } from '../../common/ids.js';
import type { AliasTranslator } from '../../naming/alias/translator.js';
import { parseAddressName } from '../../naming/ens-name.js';
import { NameNotFoundError } from '../../naming/errors.js';
import type { NameService } from '../../naming/name-service.js';
import { sendsChallenges, type ChallengeSender } from '../adapter/adapter.js';
import type { AdapterRegistry } from '../adapters.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import { NotLinkableError } from './errors.js';

interface Parts {
  readonly translator: AliasTranslator;
  readonly names: Pick<NameService, 'canonical' | 'resolveAddress' | 'addressName'>;
  readonly ghosts: GhostService;
  readonly adapters: AdapterRegistry;
}

/** Who can be linked. */
export class LinkParties {
  constructor(private readonly parts: Parts) {}

  /**
   * Somebody outside dm3.
   * @param text `alice@example.com`, or the name that stands for it
   * @throws NotLinkableError, InvalidForeignAddressError, InvalidNameError, AliasNameError, NameWithoutAddressError
   */
  async outsider(text: string): Promise<Ghost> {
    const { address } = await this.parts.translator.translate(text);
    if (address) return this.parts.ghosts.ofForeign(address);
    throw new NotLinkableError({ reason: 'The one side has to be somebody outside dm3, such as alice@example.com.' });
  }

  /** What brings a code to somebody. @throws NotLinkableError; NetworkUnavailableError (retry) */
  challenger({ network }: Ghost): ChallengeSender {
    const adapter = this.parts.adapters.of(network);
    if (sendsChallenges(adapter)) return adapter;
    throw new NotLinkableError({ reason: `Addresses of ${network} cannot be proved by a code.` });
  }

  /**
   * Somebody of dm3.
   * @throws NotLinkableError, InvalidNameError, NameNotFoundError; NamingUnavailableError (retry)
   */
  async owner(text: string): Promise<{ main: EnsName; owner: EthAddress }> {
    const { names, ghosts } = this.parts;
    const name = await names.canonical(text);
    const owner = await names.resolveAddress(name);
    if (!owner) throw new NameNotFoundError({ name });
    if ((await ghosts.byName(name)) || (await ghosts.byAddress(owner))) {
      throw new NotLinkableError({ reason: 'The other side has to be a dm3 name of somebody, such as alice.eth.' });
    }
    // `0x….addr.<anything>` is everybody's to write: what people are shown must not be.
    return { main: parseAddressName(name) ? names.addressName(owner) : name, owner };
  }
}
