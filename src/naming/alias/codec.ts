import { GatewayError } from '../../common/errors.js';
import type { ForeignAddress, NetworkId } from '../../common/ids.js';
import { quoted } from '../ens-name.js';

/**
 * Foreign addresses of one network as ENS labels and back. Pure and bijective: an address has one canonical form, and
 * that has one list of labels. Every label stays as it is under ENSIP-15 and under nameprep, and fits into 63 bytes.
 */
export interface AliasCodec {
  readonly network: NetworkId;
  /** What canonical addresses begin with: `mailto:`. */
  readonly scheme: string;
  /**
   * @param address with or without its scheme, in any spelling the network takes for the same address.
   * @throws InvalidForeignAddressError
   */
  canonical(address: ForeignAddress | string): ForeignAddress;
  /** @returns labels without `<network>.<root>`, leftmost first; together they may be too long for a name. */
  encode(address: ForeignAddress): readonly string[];
  /** @throws AliasLabelsError for everything that `encode` does not write. */
  decode(labels: readonly string[]): ForeignAddress;
}

/** Not an address of the network, or one we cannot reach. */
export class InvalidForeignAddressError extends GatewayError {
  /** @param reason goes on from "it": `has no domain`. */
  constructor({ address, reason }: { address: string; reason: string }) {
    super({
      code: 'INVALID_FOREIGN_ADDRESS',
      kind: 'invalid-input',
      message: `${quoted(address)} is not an address this gateway can reach: it ${reason}.`,
    });
  }
}

/** Labels below a network's name that stand for no address, or not in its one spelling. */
export class AliasLabelsError extends GatewayError {
  /** A whole sentence's second half, after "it". */
  readonly reason: string;
  /** The address meant, where the labels can be understood all the same. */
  readonly address: ForeignAddress | null;

  constructor(options: { labels: readonly string[]; reason: string; address?: ForeignAddress; cause?: unknown }) {
    const { labels, reason, address = null, cause } = options;
    const message = `${quoted(labels.join('.'))} stands for no foreign address: it ${reason}.`;
    super({ code: 'INVALID_ALIAS_LABELS', kind: 'invalid-input', message, cause });
    this.reason = reason;
    this.address = address;
  }
}
