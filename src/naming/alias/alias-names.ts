import { createHash } from 'node:crypto';
import { GatewayError } from '../../common/errors.js';
import type { EnsName, ForeignAddress, NetworkId } from '../../common/ids.js';
import { dnsEncodedLength, labelsOf, MAX_NAME_BYTES, quoted } from '../ens-name.js';
import { decodeBase32, encodeBase32 } from './base32.js';
import { AliasLabelsError, InvalidForeignAddressError, type AliasCodec } from './codec.js';

export type AliasName =
  | { readonly kind: 'address'; readonly network: NetworkId; readonly address: ForeignAddress }
  /** The address was too long for a name: only whoever stored it knows which it is. */
  | { readonly kind: 'hashed'; readonly network: NetworkId; readonly name: EnsName };

/** Below a network's name, but no address has this name. */
export class AliasNameError extends GatewayError {
  /** The name that the same address really has, if the wrong one can be understood. */
  readonly canonical: EnsName | null;

  /** @param reason goes on from "it": `has no "_at"`. */
  constructor(options: { name: EnsName; reason: string; canonical: EnsName | null; cause?: unknown }) {
    const { name, reason, canonical, cause } = options;
    const hint = canonical === null ? '' : ` Write ${quoted(canonical)}.`;
    const message = `${quoted(name)} names nobody on the foreign network: it ${reason}.${hint}`;
    super({ code: 'ALIAS_NAME_INVALID', kind: 'invalid-input', message, cause });
    this.canonical = canonical;
  }
}

/** The ENS names below `<network>.<root>` that stand for foreign addresses. */
export class AliasNames {
  readonly #rootName: EnsName;
  readonly #codecs: readonly AliasCodec[];

  constructor({ rootName, codecs }: { rootName: EnsName; codecs: readonly AliasCodec[] }) {
    this.#rootName = rootName;
    this.#codecs = codecs;
  }

  /** @throws InvalidForeignAddressError, also if no network here has such addresses. */
  canonical(address: ForeignAddress): ForeignAddress {
    return this.#codecOf(address).canonical(address);
  }

  /** @throws InvalidForeignAddressError if no network here has such addresses. */
  networkOf(address: ForeignAddress): NetworkId {
    return this.#codecOf(address).network;
  }

  /**
   * The one name of a canonical address; a hash where it would be longer than DNS form allows.
   * @throws InvalidForeignAddressError if no network here has such addresses.
   */
  nameOf(address: ForeignAddress): EnsName {
    const codec = this.#codecOf(address);
    const name = this.#below(codec, codec.encode(address).join('.'));
    return dnsEncodedLength(name) <= MAX_NAME_BYTES ? name : this.#below(codec, hashLabel(address));
  }

  /**
   * Null for names that are not below one of the networks' names.
   * @throws AliasNameError if it is, but no address has that name.
   */
  parse(name: EnsName): AliasName | null {
    if (!this.isUnderRoot(name)) return null;
    const labels = labelsOf(name).slice(0, -labelsOf(this.#rootName).length);
    const network = labels.at(-1);
    const codec = this.#codecs.find((candidate) => candidate.network === network);
    if (!codec || labels.length < 2) return null;
    const own = labels.slice(0, -1);
    if (own.length === 1 && isHashLabel(own[0]!)) return { kind: 'hashed', network: codec.network, name };
    return { kind: 'address', network: codec.network, address: this.#decode(codec, own, name) };
  }

  /** True for names below the root, not for the root itself. */
  isUnderRoot(name: EnsName): boolean {
    return name.endsWith(`.${this.#rootName}`);
  }

  /** False for names below the root that stand for nothing, as far as the name alone tells. */
  accepts(name: EnsName): boolean {
    try {
      return !this.isUnderRoot(name) || this.parse(name) !== null;
    } catch (error) {
      if (error instanceof AliasNameError) return false;
      throw error;
    }
  }

  #decode(codec: AliasCodec, labels: readonly string[], name: EnsName): ForeignAddress {
    try {
      return codec.decode(labels);
    } catch (cause) {
      if (!(cause instanceof AliasLabelsError)) throw cause;
      const { reason, address } = cause;
      throw new AliasNameError({ name, reason, canonical: address && this.nameOf(address), cause });
    }
  }

  #codecOf(address: ForeignAddress): AliasCodec {
    const codec = this.#codecs.find(({ scheme }) => address.startsWith(scheme));
    if (!codec) throw new InvalidForeignAddressError({ address, reason: 'belongs to no network of this gateway' });
    return codec;
  }

  #below({ network }: AliasCodec, labels: string): EnsName {
    return `${labels}.${network}.${this.#rootName}` as EnsName;
  }
}

function hashLabel(address: ForeignAddress): string {
  return `h${encodeBase32(createHash('sha256').update(address).digest())}`;
}

function isHashLabel(label: string): boolean {
  return label.startsWith('h') && decodeBase32(label.slice(1))?.length === 32;
}
