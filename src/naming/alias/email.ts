import type { ForeignAddress, NetworkId } from '../../common/ids.js';
import { AliasLabelsError, InvalidForeignAddressError, type AliasCodec } from './codec.js';
import { canonicalEmail, formatEmailAddress, parseEmailAddress, type EmailAddress } from './email-address.js';
import { hostLabels, readHostLabels } from './host-part.js';
import { localLabels, readLocalLabels } from './local-part.js';

const SCHEME = 'mailto:';
const AT = '_at';

/**
 * `mailto:alice@example.com` <-> `alice._at.example.com`. `+` and `_` become labels of their own; local parts that
 * labels cannot spell become `_x` and base32, and so do IDN labels that old or new clients would change.
 */
export const emailCodec: AliasCodec = { network: 'email' as NetworkId, scheme: SCHEME, canonical, encode, decode };

function canonical(address: string): ForeignAddress {
  const bare = address.slice(0, SCHEME.length).toLowerCase() === SCHEME ? address.slice(SCHEME.length) : address;
  return toForeign(parseEmailAddress(bare));
}

function encode(address: ForeignAddress): readonly string[] {
  const { local, domain } = parseEmailAddress(address.slice(SCHEME.length));
  return [...localLabels(local), AT, ...hostLabels(domain)];
}

function decode(labels: readonly string[]): ForeignAddress {
  const address = readLabels(labels);
  if (encode(address).join('.') === labels.join('.')) return address;
  throw new AliasLabelsError({ labels, reason: 'is not the canonical spelling', address });
}

function toForeign(address: EmailAddress): ForeignAddress {
  return (SCHEME + formatEmailAddress(address)) as ForeignAddress;
}

/** Reads leniently: whether the spelling is the canonical one is for the caller to compare. */
function readLabels(labels: readonly string[]): ForeignAddress {
  const at = labels.indexOf(AT);
  if (at < 0) throw new AliasLabelsError({ labels, reason: `has no "${AT}"` });
  const local = readLocalLabels(labels.slice(0, at));
  const domain = readHostLabels(labels.slice(at + 1));
  if (local === null || domain === null) throw new AliasLabelsError({ labels, reason: 'holds a broken escape' });
  try {
    return toForeign(canonicalEmail(local, domain));
  } catch (cause) {
    if (!(cause instanceof InvalidForeignAddressError)) throw cause;
    throw new AliasLabelsError({ labels, reason: 'stands for an address that cannot be', cause });
  }
}
