import fs from 'node:fs';
import { JsonRpcProvider } from 'ethers';
import type { EnsName, EthAddress } from '../common/ids.js';
import {
  connectDeployer,
  deployAliasRegistry,
  deployOffchainResolver,
  deployPlainResolver,
  deployRegistry,
  registerName,
  setAddr,
  setAlias,
  setReverse,
  setText,
  setUrls,
  type Deployer,
} from '../naming/contracts/deploy.js';
import { dataRecord, USER_PROFILE_RECORD } from '../protocol/profile/record.js';
import type { LocalChain } from './local-chain.js';
import { DEPLOYER_KEY, type Person } from './people.js';

/** The contracts of the sandbox's ENS. */
export interface World {
  readonly registry: EthAddress;
  readonly plainResolver: EthAddress;
  readonly offchainResolver: EthAddress;
  readonly aliasRegistry: EthAddress;
  /** Where the offchain resolver sends its readers. */
  readonly ccipUrl: string;
}

export interface WorldOptions {
  readonly chain: Pick<LocalChain, 'rpcUrl' | 'chainId'>;
  readonly rootName: EnsName;
  readonly people: readonly Person[];
  /** Template with `{sender}` and `{data}`. */
  readonly ccipUrl: string;
  /** Account that signs CCIP-read answers. */
  readonly ccipSigner: EthAddress;
  readonly topLevelAliases: Readonly<Record<string, string>>;
}

/**
 * An ENS with our root name and the sandbox's people, made on the first start. Later starts find it on the kept chain;
 * if the chain began anew, so does the world.
 * @param file where the contracts' addresses are kept
 */
export async function settleWorld(file: string, options: WorldOptions): Promise<World> {
  const deployer = connectDeployer({ ...options.chain, privateKey: DEPLOYER_KEY });
  try {
    const kept = readWorld(file);
    const known = kept !== null && (await hasCode(options.chain.rpcUrl, kept.registry));
    const world = known ? await followPort(deployer, kept, options) : await buildWorld(deployer, options);
    fs.writeFileSync(file, `${JSON.stringify(world, null, 2)}\n`);
    return world;
  } finally {
    deployer.close();
  }
}

/** Deploys the contracts and registers everybody: about twenty transactions. */
export async function buildWorld(deployer: Deployer, options: WorldOptions): Promise<World> {
  const { rootName, people, ccipUrl, ccipSigner, topLevelAliases } = options;
  const registry = await deployRegistry(deployer);
  const plainResolver = await deployPlainResolver(deployer, { registry });
  const offchainResolver = await deployOffchainResolver(deployer, { urls: [ccipUrl], signers: [ccipSigner] });
  const aliasRegistry = await deployAliasRegistry(deployer);
  await registerName(deployer, { registry, name: rootName, resolver: offchainResolver });
  for (const [toplevel, alias] of Object.entries(topLevelAliases)) {
    await setAlias(deployer, { aliasRegistry, toplevel, alias });
  }
  for (const person of people) await settle(deployer, { registry, resolver: plainResolver, person });
  return { registry, plainResolver, offchainResolver, aliasRegistry, ccipUrl };
}

/** Gives somebody a name with address, dm3 profile and reverse record. */
export async function settle(
  deployer: Deployer,
  options: { registry: EthAddress; resolver: EthAddress; person: Pick<Person, 'name' | 'address' | 'profile'> },
): Promise<void> {
  const { registry, resolver, person } = options;
  const { name, address, profile } = person;
  await registerName(deployer, { registry, name, resolver });
  await setAddr(deployer, { resolver, name, address });
  await setText(deployer, { resolver, name, key: USER_PROFILE_RECORD, value: dataRecord(profile) });
  await setReverse(deployer, { registry, resolver, address, name });
}

async function followPort(deployer: Deployer, world: World, { ccipUrl }: WorldOptions): Promise<World> {
  if (world.ccipUrl !== ccipUrl) await setUrls(deployer, { resolver: world.offchainResolver, urls: [ccipUrl] });
  return { ...world, ccipUrl };
}

function readWorld(file: string): World | null {
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as World) : null;
}

async function hasCode(rpcUrl: string, address: EthAddress): Promise<boolean> {
  const provider = new JsonRpcProvider(rpcUrl);
  try {
    return (await provider.getCode(address)) !== '0x';
  } finally {
    provider.destroy();
  }
}
