import type { EthAddress } from '../common/ids.js';

/** 20 bytes, as address columns hold them. */
export function addressBytes(address: EthAddress): Buffer {
  return Buffer.from(address.slice(2), 'hex');
}

export function addressFromBytes(bytes: Uint8Array): EthAddress {
  return `0x${Buffer.from(bytes).toString('hex')}` as EthAddress;
}
