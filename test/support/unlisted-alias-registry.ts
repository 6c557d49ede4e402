import { readFileSync } from 'node:fs';
import { ContractFactory, type InterfaceAbi } from 'ethers';
import { parseEthAddress, type EthAddress } from '../../src/common/ids.js';
import type { Deployer } from '../../src/naming/contracts/deploy.js';

const artifact = JSON.parse(
  readFileSync(new URL('./contracts/artifacts/UnlistedAliasRegistry.json', import.meta.url), 'utf8'),
) as { abi: InterfaceAbi; bytecode: string };

/** A registry like dm3's, which cannot list its aliases. It takes `setAlias` as ours does. @returns its address */
export async function deployUnlistedRegistry({ signer }: Deployer): Promise<EthAddress> {
  const contract = await new ContractFactory(artifact.abi, artifact.bytecode, signer).deploy();
  await contract.waitForDeployment();
  return parseEthAddress(await contract.getAddress())!;
}
