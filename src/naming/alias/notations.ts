import type { ForeignAddress } from '../../common/ids.js';
import type { AliasCodec } from './codec.js';
import { emailCodec } from './email.js';
import { formatMatrixId, parseMatrixId } from './matrix-id.js';
import { matrixCodec } from './matrix.js';
import { xmtpCodec } from './xmtp.js';

/** How people write the addresses of a network: without a scheme. */
interface Notation {
  readonly codec: AliasCodec;
  readonly looks: RegExp;
  show(address: ForeignAddress): string;
}

const withoutScheme = (address: ForeignAddress): string => address.replace(/^[a-z]+:/, '');

/** Every network whose addresses have names, whether an adapter serves them here or not. What looks like two is the first. */
const NOTATIONS: readonly Notation[] = [
  { codec: matrixCodec, looks: /^[@#!]/, show: (address) => formatMatrixId(parseMatrixId(address)) },
  { codec: xmtpCodec, looks: /^(?:0x[0-9a-f]{40}|[0-9a-f]{64})$/i, show: withoutScheme },
  { codec: emailCodec, looks: /@/, show: withoutScheme },
];

export const ALL_CODECS: readonly AliasCodec[] = NOTATIONS.map(({ codec }) => codec);

/**
 * What somebody typed as a canonical address, by its scheme or by its looks; null if it looks like a name.
 * @throws InvalidForeignAddressError
 */
export function readAddress(text: string): ForeignAddress | null {
  const lower = text.slice(0, 10).toLowerCase();
  const notation =
    NOTATIONS.find(({ codec }) => lower.startsWith(codec.scheme)) ?? NOTATIONS.find(({ looks }) => looks.test(text));
  return notation ? notation.codec.canonical(text) : null;
}

/** As people write it: `alice@example.com`, `@alice:hs.org`. */
export function showAddress(address: ForeignAddress): string {
  const notation = NOTATIONS.find(({ codec }) => address.startsWith(codec.scheme));
  return notation ? notation.show(address) : address;
}
