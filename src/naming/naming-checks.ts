import { Interface, ZeroAddress, type Provider } from 'ethers';
import type { Clock } from '../common/clock.js';
import { parseEthAddress, type EnsName, type EthAddress } from '../common/ids.js';
import type { Check } from '../ops/doctor/check.js';
import { failure, fine, warning, type Finding } from '../ops/doctor/finding.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import type { AliasRegistryReader } from './alias/registry-reader.js';
import { checkResolver } from './ccip-read/resolver-check.js';
import { readResolverState } from './ccip-read/resolver-state.js';
import { ccipSigners } from './ccip-read/signer-keys.js';
import type { DigestForm } from './ccip-read/signer.js';
import type { ChainReader } from './chain-reader.js';
import { namehash } from './dns-name.js';
import type { EndpointHealth, RpcEndpoints } from './rpc/rpc-endpoints.js';

interface Parts {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly endpoints: RpcEndpoints;
  readonly chain: ChainReader;
  readonly registry: EthAddress;
  readonly rootName: EnsName;
  readonly rootSecret: Uint8Array;
  readonly ccipRead: {
    readonly resolvers: readonly EthAddress[];
    readonly digest: DigestForm;
    readonly signerVersion: number;
  };
  readonly publicUrl: string;
  /** Null if the settings name no registry of aliases. */
  readonly aliases: Pick<AliasRegistryReader, 'read'> | null;
  /** `topLevelAliases` of the settings. */
  readonly configuredAliases: Readonly<Record<string, string>>;
}

const abi = new Interface(['function resolver(bytes32 node) view returns (address)']);

/** Whether the chain answers, and what it says about our names is what we mean. */
export function namingChecks(parts: Parts): Check[] {
  return [
    { subject: 'Ethereum nodes', run: () => nodes(parts) },
    { subject: `ENS name ${parts.rootName}`, run: async () => [await rootResolver(parts)] },
    ...parts.ccipRead.resolvers.map((resolver) => ({
      subject: `resolver ${resolver}`,
      run: () => resolverContract(parts, resolver),
    })),
    ...(parts.aliases ? [{ subject: 'top-level aliases', run: () => publishedAliases(parts, parts.aliases!) }] : []),
  ];
}

async function nodes({ endpoints }: Parts): Promise<Finding[]> {
  await endpoints.look();
  return endpoints.health().map(nodeFinding);
}

function nodeFinding({ endpoint, state, code, behindSeconds }: EndpointHealth): Finding {
  if (state === 'usable') return fine('RPC', `The node at ${endpoint} answers.`);
  if (state === 'behind') {
    const message = `The newest block of the node at ${endpoint} is ${behindSeconds} s older than that of another one.`;
    return warning('RPC_BEHIND', message, 'Let it catch up, or take it out of ens.rpcUrls.');
  }
  const message = `The node at ${endpoint} cannot be used (${code}).`;
  return failure('RPC_UNUSABLE', message, 'Mend its URL in ens.rpcUrls or ens.chainId, or ask its operator.');
}

async function rootResolver({ chain, registry, rootName, ccipRead }: Parts): Promise<Finding> {
  const resolver = await resolverOf(chain, registry, rootName);
  if (resolver === null) {
    const message = `There is no ENS registry at ${registry} on this chain.`;
    return failure('NO_REGISTRY', message, 'Set ens.registry and ens.chainId to those of your ENS.');
  }
  if (ccipRead.resolvers.includes(resolver)) return fine('ROOT_NAME', `${rootName} has our resolver.`);
  const [ours] = ccipRead.resolvers;
  const found = resolver === ZeroAddress ? 'has no resolver' : `has the resolver ${resolver}, which is not ours`;
  return failure(
    'ROOT_RESOLVER',
    `${rootName} ${found}: no name below it leads here.`,
    `As its owner, set its resolver to ${ours} ("dm3-gateway setup" prints the transaction).`,
  );
}

async function resolverOf(chain: ChainReader, registry: EthAddress, name: EnsName): Promise<EthAddress | null> {
  const answer = await chain.call(registry, abi.encodeFunctionData('resolver', [namehash(name)]));
  if (answer === null || answer === '0x') return null;
  return parseEthAddress(abi.decodeFunctionResult('resolver', answer)[0] as string);
}

async function resolverContract(parts: Parts, resolver: EthAddress): Promise<Finding[]> {
  const { crypto, clock, endpoints, rootName, rootSecret, ccipRead, publicUrl } = parts;
  const { signerVersion, digest: form } = ccipRead;
  const options = { crypto, rootSecret, signerVersion, form, resolver, rootName, now: clock.now() };
  const state = await endpoints.ask((provider: Provider) => readResolverState(provider, options));
  return checkResolver(state, { resolver, publicUrl, signers: ccipSigners(crypto, rootSecret, signerVersion) });
}

async function publishedAliases(
  { configuredAliases }: Parts,
  registry: Pick<AliasRegistryReader, 'read'>,
): Promise<Finding[]> {
  const entries = Object.entries(configuredAliases).filter(([, alias]) => alias !== '');
  return Promise.all(entries.map(([toplevel, alias]) => aliasFinding(registry, toplevel, alias)));
}

async function aliasFinding(
  registry: Pick<AliasRegistryReader, 'read'>,
  toplevel: string,
  alias: string,
): Promise<Finding> {
  const published = await registry.read(toplevel);
  if (published === null) return fine('ALIAS', `.${toplevel} stands for .${alias} by the settings alone.`);
  if (published === alias) return fine('ALIAS', `.${toplevel} stands for .${alias} by the registry.`);
  return warning(
    'ALIAS_DIFFERS',
    `The registry says that .${toplevel} stands for .${published}, the settings say .${alias}: the registry counts.`,
    `Set names.topLevelAliases.${toplevel} to ${published}, or: dm3-gateway alias set ${toplevel} ${alias}`,
  );
}
