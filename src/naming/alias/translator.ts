import { GatewayError } from '../../common/errors.js';
import type { EnsName, ForeignAddress, NetworkId } from '../../common/ids.js';
import { normaliseName } from '../ens-name.js';
import { AliasNames } from './alias-names.js';
import { ALL_CODECS, readAddress } from './notations.js';
import type { TopLevelDirectory } from './top-level-directory.js';

/** What an address or a name is in the other form. */
export interface Translation {
  /** The network of the one the name stands for; `ens` for a name of somebody of dm3 in its short form. */
  readonly kind: NetworkId | 'ens';
  /** Canonical, with its scheme; null for `ens`. */
  readonly address: ForeignAddress | null;
  /** Written out: what is looked up in ENS. */
  readonly name: EnsName;
  /** The same name by its top-level alias, if there is one. */
  readonly topLevelName: EnsName | null;
}

/** An ENS name that cannot be translated. */
export class NameWithoutAddressError extends GatewayError {
  /** @param options.reason a sentence without its subject, which is the name */
  constructor({ name, reason }: { name: EnsName; reason: string }) {
    super({ code: 'NAME_WITHOUT_ADDRESS', kind: 'not-found', message: `${name} ${reason}` });
  }
}

/** Foreign address <-> ENS name for every network there is a codec for; asks nobody but the alias registry. */
export class AliasTranslator {
  readonly #aliases: AliasNames;

  constructor(
    rootName: EnsName,
    private readonly topLevel: Pick<TopLevelDirectory, 'expand' | 'shorten'>,
  ) {
    this.#aliases = new AliasNames({ rootName, codecs: ALL_CODECS });
  }

  /** @throws InvalidForeignAddressError, InvalidNameError, AliasNameError, NameWithoutAddressError */
  async translate(text: string): Promise<Translation> {
    const address = readAddress(text);
    return address ? this.#ofAddress(address) : this.#ofName(normaliseName(text));
  }

  /** Whoever is meant by an address or a name, as the ENS name to write to. @throws like `translate`, but takes all names */
  async nameOf(text: string): Promise<EnsName> {
    const address = readAddress(text);
    return address ? this.#aliases.nameOf(address) : this.#writtenOut(normaliseName(text));
  }

  #ofAddress(address: ForeignAddress): Translation {
    const name = this.#aliases.nameOf(address);
    return { kind: this.#aliases.networkOf(address), address, name, topLevelName: this.#short(name) };
  }

  async #ofName(typed: EnsName): Promise<Translation> {
    const name = await this.#writtenOut(typed);
    const alias = this.#aliases.parse(name);
    if (alias?.kind === 'address') {
      return { kind: alias.network, address: alias.address, name, topLevelName: this.#short(name) };
    }
    if (alias) {
      const reason = 'is a shortened name: only the gateway that made it knows the address.';
      throw new NameWithoutAddressError({ name, reason });
    }
    if (name !== typed) return { kind: 'ens', address: null, name, topLevelName: this.#short(name) };
    const reason = 'is an ordinary ENS name: it stands for nobody on another network.';
    throw new NameWithoutAddressError({ name, reason });
  }

  #writtenOut(name: EnsName): Promise<EnsName> {
    return this.topLevel.expand(name, (expanded) => this.#aliases.accepts(expanded));
  }

  #short(name: EnsName): EnsName | null {
    const short = this.topLevel.shorten(name);
    return short === name ? null : short;
  }
}
