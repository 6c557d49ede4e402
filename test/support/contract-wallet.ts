import { readFileSync } from 'node:fs';
import { Contract, ContractFactory, type InterfaceAbi } from 'ethers';
import { parseEthAddress, type EthAddress } from '../../src/common/ids.js';
import type { Deployer } from '../../src/naming/contracts/deploy.js';
import { hashPersonalMessage } from '../../src/protocol/crypto/keys.js';
import type { CryptoProvider } from '../../src/protocol/crypto/provider.js';
import { toHex } from '../../src/protocol/encoding/hex.js';
import {
  profileCreationMessage,
  type SignedUserProfile,
  type UserProfile,
} from '../../src/protocol/profile/user-profile.js';

const artifact = JSON.parse(
  readFileSync(new URL('./contracts/artifacts/Erc1271Wallet.json', import.meta.url), 'utf8'),
) as { abi: InterfaceAbi; bytecode: string };

/** A smart account that stands by what its owner's key signs (ERC-1271). @returns its address */
export async function deployContractWallet({ signer }: Deployer, owner: EthAddress): Promise<EthAddress> {
  const contract = await new ContractFactory(artifact.abi, artifact.bytecode, signer).deploy(owner);
  await contract.waitForDeployment();
  return parseEthAddress(await contract.getAddress())!;
}

/** From now on the account stands by another key. */
export async function changeOwner({ signer }: Deployer, wallet: EthAddress, owner: EthAddress): Promise<void> {
  const sent = await new Contract(wallet, artifact.abi, signer).getFunction('setOwner')(owner);
  await sent.wait();
}

/** What the client of a smart account publishes: a key signs the text that names the account. */
export function signProfileFor(
  crypto: CryptoProvider,
  { profile, account, key }: { profile: UserProfile; account: EthAddress; key: Uint8Array },
): SignedUserProfile {
  const hash = hashPersonalMessage(crypto, profileCreationMessage(crypto, profile, account));
  return { profile, signature: toHex(crypto.signEthereum(key, hash)) };
}
