import { readFileSync } from 'node:fs';
import type { InterfaceAbi } from 'ethers';

export type ContractName = 'EnsRegistry' | 'PlainResolver' | 'OffchainResolver' | 'TopLevelAliasRegistry';

/** What `scripts/build-contracts.mjs` makes of a Solidity source. */
export interface ContractArtifact {
  readonly abi: InterfaceAbi;
  /** `0x`-hex creation code. */
  readonly bytecode: string;
  /** SHA-256 of the source file, hex: a spec refuses artifacts that are older than their source. */
  readonly sourceHash: string;
}

/** Reads a committed artifact. The build copies the JSON files, so the path holds in `src` and in `dist`. */
export function contractArtifact(name: ContractName): ContractArtifact {
  const file = new URL(`./artifacts/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as ContractArtifact;
}
