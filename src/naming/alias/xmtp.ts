import type { ForeignAddress, NetworkId } from '../../common/ids.js';
import { decodeBase32, encodeBase32 } from './base32.js';
import { AliasLabelsError, InvalidForeignAddressError, type AliasCodec } from './codec.js';

const SCHEME = 'xmtp:';
const INBOX = '_inbox';
const INBOX_BYTES = 32;

const ADDRESS = /^0x[0-9a-f]{40}$/;
const INBOX_ID = /^[0-9a-f]{64}$/;

/**
 * `xmtp:0xabc…` <-> `0xabc…`, and an inbox id, whose 64 hex digits are one too many for a label, <-> `_inbox.<base32>`.
 * Capitals mean nothing to XMTP, the checksum in an address's capitals neither.
 */
export const xmtpCodec: AliasCodec = { network: 'xmtp' as NetworkId, scheme: SCHEME, canonical, encode, decode };

function canonical(address: string): ForeignAddress {
  const lower = address.toLowerCase();
  const id = lower.startsWith(SCHEME) ? lower.slice(SCHEME.length) : lower;
  if (ADDRESS.test(id) || INBOX_ID.test(id)) return (SCHEME + id) as ForeignAddress;
  const reason = 'is neither an Ethereum address (0x and 40 hex digits) nor an XMTP inbox id (64 hex digits)';
  throw new InvalidForeignAddressError({ address, reason });
}

function encode(address: ForeignAddress): readonly string[] {
  const id = address.slice(SCHEME.length);
  return ADDRESS.test(id) ? [id] : [INBOX, encodeBase32(Buffer.from(id, 'hex'))];
}

function decode(labels: readonly string[]): ForeignAddress {
  const address = labels[0] === INBOX ? readInbox(labels) : readAddress(labels);
  if (encode(address).join('.') === labels.join('.')) return address;
  throw new AliasLabelsError({ labels, reason: 'is not the canonical spelling', address });
}

function readInbox(labels: readonly string[]): ForeignAddress {
  const bytes = decodeBase32(labels.slice(1).join(''));
  if (bytes?.length === INBOX_BYTES) return canonical(Buffer.from(bytes).toString('hex'));
  throw new AliasLabelsError({ labels, reason: `has no inbox id of ${INBOX_BYTES} bytes after "${INBOX}"` });
}

function readAddress(labels: readonly string[]): ForeignAddress {
  try {
    return canonical(labels.join('.'));
  } catch (cause) {
    if (!(cause instanceof InvalidForeignAddressError)) throw cause;
    throw new AliasLabelsError({ labels, reason: 'is neither an Ethereum address nor an inbox id', cause });
  }
}
