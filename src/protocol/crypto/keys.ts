import type { EthAddress } from '../../common/ids.js';
import { fromHex, toHex } from '../encoding/hex.js';
import { toUtf8, utf8Length, withUtf8 } from '../encoding/utf8.js';
import type { CryptoProvider, RawKeyPair } from './provider.js';

/** All keys of one dm3 profile. */
export interface ProfileKeys {
  readonly encryption: RawKeyPair;
  readonly signing: RawKeyPair;
  /** 32 bytes: encrypts the owner's stored messages. It is the seed of both pairs. */
  readonly storageKey: Uint8Array;
}

/** sha256("dm3_default_nonce"): the nonce every client derives its keys with unless told otherwise. */
export const DEFAULT_NONCE = '0xa1b38837dd52e70a250ac2bf3e19f1599833e9d30662bf69a1c12e5747ed9f65';

/** @param seed 32 bytes. One seed feeds both pairs (dm3 MTP: keys). */
export function profileKeysFromSeed(crypto: CryptoProvider, seed: Uint8Array): ProfileKeys {
  return {
    encryption: crypto.encryptionKeyPairFromSeed(seed),
    signing: crypto.signingKeyPairFromSeed(seed),
    storageKey: seed,
  };
}

/** The text a wallet signs to derive dm3 keys. It looks like EIP-4361 without being it; every byte counts. */
export function keyDerivationMessage(crypto: CryptoProvider, address: EthAddress, nonce = DEFAULT_NONCE): string {
  return [
    'dm3.chat wants you to sign in with your Ethereum account:',
    checksumAddress(crypto, address),
    '',
    'Connect the DM3 MESSENGER with your wallet. Keys for secure communication are derived from this signature.',
    '',
    '(There is no paid transaction initiated. The signature is used off-chain only.)',
    '',
    'URI: https://dm3.chat',
    'Version: 1',
    `Nonce: ${nonce}`,
  ].join('\n');
}

/** The seed of the profile keys: SHA-256 over the text of the wallet's signature (`0x` and 130 digits), not its bytes. */
export function seedFromSignature(crypto: CryptoProvider, signatureHex: string): Uint8Array {
  return crypto.sha256(toUtf8(signatureHex));
}

/** The 32-byte digest wallets sign for `personal_sign` (EIP-191, version 0x45). */
export function hashPersonalMessage(crypto: CryptoProvider, text: string): Uint8Array {
  const signed = `\u0019Ethereum Signed Message:\n${utf8Length(text)}${text}`;
  return withUtf8(signed, (bytes) => crypto.keccak256(bytes));
}

/** @returns `0x` and 130 lower-case digits. */
export function signPersonalMessage(crypto: CryptoProvider, privateKey: Uint8Array, text: string): string {
  return toHex(crypto.signEthereum(privateKey, hashPersonalMessage(crypto, text)));
}

/** Who signed a text with `personal_sign`; null if the signature is none. Contracts (ERC-1271) have to be asked. */
export function recoverPersonalSigner(crypto: CryptoProvider, text: string, signatureHex: string): EthAddress | null {
  const signature = decodeSignature(signatureHex);
  return signature === null ? null : crypto.recoverEthereum(hashPersonalMessage(crypto, text), signature);
}

/** Mixed-case form of an address (EIP-55). */
export function checksumAddress(crypto: CryptoProvider, address: EthAddress): string {
  const hash = toHex(crypto.keccak256(toUtf8(address.slice(2))));
  const upperWhereHashIsHigh = (digit: string, index: number): string =>
    Number.parseInt(hash[index + 2]!, 16) >= 8 ? digit.toUpperCase() : digit;
  return `0x${Array.from(address.slice(2), upperWhereHashIsHigh).join('')}`;
}

function decodeSignature(hex: string): Uint8Array | null {
  try {
    return fromHex(hex);
  } catch {
    return null;
  }
}
