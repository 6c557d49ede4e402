import type { EnsName, EthAddress } from '../common/ids.js';
import {
  keyDerivationMessage,
  profileKeysFromSeed,
  seedFromSignature,
  signPersonalMessage,
} from '../protocol/crypto/keys.js';
import type { ProfileKeys } from '../protocol/crypto/keys.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { toBase64 } from '../protocol/encoding/base64.js';
import { fromHex } from '../protocol/encoding/hex.js';
import { signProfile, type SignedUserProfile } from '../protocol/profile/user-profile.js';

/** Somebody who lives in the sandbox. */
export interface Person {
  readonly name: EnsName;
  readonly address: EthAddress;
  /** `0x`-hex, 32 bytes. */
  readonly walletPrivateKey: string;
  readonly keys: ProfileKeys;
  readonly profile: SignedUserProfile;
}

/** The first three accounts of every anvil chain, known to everybody: they own nothing outside the sandbox. */
export const DEPLOYER_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
const WALLETS: readonly [string, string][] = [
  ['alice.eth', '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'],
  ['bob.eth', '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a'],
];

/** alice.eth and bob.eth, with the keys every dm3 client derives from their wallets. */
export function sandboxPeople(crypto: CryptoProvider, deliveryService: EnsName): Person[] {
  return WALLETS.map(([name, wallet]) => createPerson(crypto, { name: name as EnsName, wallet, deliveryService }));
}

/** @param options.wallet private key, `0x`-hex */
export function createPerson(
  crypto: CryptoProvider,
  options: { name: EnsName; wallet: string; deliveryService: EnsName },
): Person {
  const { name, wallet, deliveryService } = options;
  const privateKey = fromHex(wallet);
  const address = crypto.ethereumAddress(privateKey);
  const keys = profileKeysFromSeed(crypto, walletSeed(crypto, privateKey, address));
  const profile = {
    publicEncryptionKey: toBase64(keys.encryption.publicKey),
    publicSigningKey: toBase64(keys.signing.publicKey),
    deliveryServices: [deliveryService],
  };
  return { name, address, walletPrivateKey: wallet, keys, profile: signProfile(crypto, profile, privateKey) };
}

function walletSeed(crypto: CryptoProvider, privateKey: Uint8Array, address: EthAddress): Uint8Array {
  const signature = signPersonalMessage(crypto, privateKey, keyDerivationMessage(crypto, address));
  return seedFromSignature(crypto, signature);
}
