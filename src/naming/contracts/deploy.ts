import {
  Contract,
  ContractFactory,
  id,
  JsonRpcProvider,
  Network,
  Wallet,
  ZeroAddress,
  type BaseContract,
  type ContractTransactionResponse,
  type Signer,
} from 'ethers';
import { parseEthAddress, type EnsName, type EthAddress } from '../../common/ids.js';
import { namehash, parentOf } from '../dns-name.js';
import { contractArtifact, type ContractName } from './artifacts.js';

/**
 * One account that sends transactions: each only after the one before was mined, since the chain counts them.
 * `close` frees the connection.
 */
export interface Deployer {
  readonly signer: Signer;
  readonly address: EthAddress;
  close(): void;
}

/**
 * Opens an account on a chain that mines each transaction at once (the sandbox, a test).
 *
 * @param options.privateKey 32 bytes, `0x`-hex.
 */
export function connectDeployer(options: { rpcUrl: string; chainId: number; privateKey: string }): Deployer {
  const network = new Network('local', options.chainId);
  // ethers answers a repeated question from a 250 ms cache, the transaction count among them; and polls every 4 s.
  const settings = { staticNetwork: network, cacheTimeout: -1, pollingInterval: 50 };
  const provider = new JsonRpcProvider(options.rpcUrl, network, settings);
  const signer = new Wallet(options.privateKey, provider);
  return { signer, address: addressOf(signer.address), close: () => provider.destroy() };
}

/** @returns the address of a registry whose root node belongs to the deployer. */
export function deployRegistry({ signer }: Deployer): Promise<EthAddress> {
  return deploy(signer, 'EnsRegistry', []);
}

/** @returns the address of a resolver that keeps its records on the chain. */
export function deployPlainResolver({ signer }: Deployer, options: { registry: EthAddress }): Promise<EthAddress> {
  return deploy(signer, 'PlainResolver', [options.registry]);
}

/**
 * @param options.urls templates as ERC-3668 has them: `https://host/ccip/{sender}/{data}` is asked with GET, one
 *   without `{data}` with POST.
 * @param options.signers accounts whose answers count.
 * @returns the address of a wildcard resolver that answers through CCIP-read.
 */
export function deployOffchainResolver(
  { signer }: Deployer,
  options: { urls: readonly string[]; signers: readonly EthAddress[] },
): Promise<EthAddress> {
  return deploy(signer, 'OffchainResolver', [options.urls, options.signers]);
}

/** @returns the address of an alias registry that the deployer owns. */
export function deployAliasRegistry({ signer, address }: Deployer): Promise<EthAddress> {
  return deploy(signer, 'TopLevelAliasRegistry', [address]);
}

/**
 * Registers a name and whatever is missing above it; the missing parents become the deployer's.
 *
 * @param options.owner default: the deployer, who must own it to set records on a plain resolver.
 */
export async function registerName(
  { signer, address }: Deployer,
  options: { registry: EthAddress; name: EnsName; resolver: EthAddress; owner?: EthAddress },
): Promise<void> {
  const registry = contractAt('EnsRegistry', options.registry, signer);
  await ensureOwned(registry, parentOf(options.name), address);
  const path = [namehash(parentOf(options.name)), id(firstLabel(options.name))];
  await send(registry, 'setSubnodeRecord', [...path, options.owner ?? address, options.resolver, 0]);
}

export function setAddr(
  { signer }: Deployer,
  options: { resolver: EthAddress; name: EnsName; address: EthAddress },
): Promise<void> {
  const resolver = contractAt('PlainResolver', options.resolver, signer);
  return send(resolver, 'setAddr(bytes32,address)', [namehash(options.name), options.address]);
}

export function setText(
  { signer }: Deployer,
  options: { resolver: EthAddress; name: EnsName; key: string; value: string },
): Promise<void> {
  const resolver = contractAt('PlainResolver', options.resolver, signer);
  return send(resolver, 'setText', [namehash(options.name), options.key, options.value]);
}

/** Makes `name` the primary name of an address (EIP-181): the deployer stands in for the reverse registrar. */
export async function setReverse(
  deployer: Deployer,
  options: { registry: EthAddress; resolver: EthAddress; address: EthAddress; name: EnsName },
): Promise<void> {
  const reverse = `${options.address.slice(2)}.addr.reverse` as EnsName;
  await registerName(deployer, { ...options, name: reverse });
  const resolver = contractAt('PlainResolver', options.resolver, deployer.signer);
  await send(resolver, 'setName', [namehash(reverse), options.name]);
}

/** Lets `label.<toplevel>` stand for `label.<alias>`. Reverts where the contract's length rules are broken. */
export function setAlias(
  { signer }: Deployer,
  options: { aliasRegistry: EthAddress; toplevel: string; alias: string },
): Promise<void> {
  const aliases = contractAt('TopLevelAliasRegistry', options.aliasRegistry, signer);
  return send(aliases, 'setAlias', [options.toplevel, options.alias]);
}

/** Replaces the URL templates of an offchain resolver, for example after the service moved to another port. */
export function setUrls(
  { signer }: Deployer,
  options: { resolver: EthAddress; urls: readonly string[] },
): Promise<void> {
  return send(contractAt('OffchainResolver', options.resolver, signer), 'setUrls', [options.urls]);
}

/** Adds a trusted signer of answers to an offchain resolver, or takes one away. */
export function setSigner(
  { signer }: Deployer,
  options: { resolver: EthAddress; signer: EthAddress; trusted: boolean },
): Promise<void> {
  const resolver = contractAt('OffchainResolver', options.resolver, signer);
  return send(resolver, 'setSigner', [options.signer, options.trusted]);
}

/** One of our contracts, for calls that have no helper here. */
export function contractAt(name: ContractName, address: EthAddress, signer: Signer): Contract {
  return new Contract(address, contractArtifact(name).abi, signer);
}

async function deploy(signer: Signer, name: ContractName, args: readonly unknown[]): Promise<EthAddress> {
  const { abi, bytecode } = contractArtifact(name);
  const contract: BaseContract = await new ContractFactory(abi, bytecode, signer).deploy(...args);
  await contract.waitForDeployment();
  return addressOf(await contract.getAddress());
}

async function send(contract: Contract, method: string, args: readonly unknown[]): Promise<void> {
  const sent = (await contract.getFunction(method)(...args)) as ContractTransactionResponse;
  await sent.wait();
}

async function ensureOwned(registry: Contract, name: string, owner: EthAddress): Promise<void> {
  if (name === '') return;
  if ((await registry.getFunction('owner')(namehash(name))) !== ZeroAddress) return;
  await ensureOwned(registry, parentOf(name), owner);
  await send(registry, 'setSubnodeOwner', [namehash(parentOf(name)), id(firstLabel(name)), owner]);
}

function firstLabel(name: string): string {
  return name.split('.', 1)[0]!;
}

function addressOf(hex: string): EthAddress {
  return parseEthAddress(hex)!;
}
