import { concat, Interface } from 'ethers';
import type { EthAddress } from '../../common/ids.js';
import { contractArtifact, type ContractName } from './artifacts.js';

/** Data of the transaction, one without a receiver, that deploys a resolver; `0x`-hex. Its sender becomes the owner. */
export function resolverCreationCode(options: {
  readonly urls: readonly string[];
  readonly signers: readonly EthAddress[];
}): string {
  return creationCode('OffchainResolver', [options.urls, options.signers]);
}

/** The same for a registry of top-level aliases. */
export function aliasRegistryCreationCode(owner: EthAddress): string {
  return creationCode('TopLevelAliasRegistry', [owner]);
}

function creationCode(name: ContractName, args: readonly unknown[]): string {
  const { abi, bytecode } = contractArtifact(name);
  return concat([bytecode, new Interface(abi).encodeDeploy(args)]);
}
