import { systemClock, type Clock } from '../../common/clock.js';
import type { EthAddress } from '../../common/ids.js';
import type { Settings } from '../../config/settings.js';
import type { EventLog } from '../../ops/event-log.js';
import type { RpcEndpoints } from '../rpc/rpc-endpoints.js';
import { PublishedAliases } from './published-aliases.js';
import { AliasRegistryReader } from './registry-reader.js';
import { TopLevelDirectory } from './top-level-directory.js';

/** What is asked of the settings. */
export interface AliasSettings {
  readonly ens: Pick<Settings['ens'], 'rpcUrls' | 'chainId' | 'timeoutMs'>;
  readonly names: Settings['names'];
}

/**
 * The contract of the settings, on their chain: that of ENS unless they name another. Null if they name no contract.
 * @param endpoints of the chain of ENS, where the process has them open
 */
export function openAliasRegistry({ ens, names }: AliasSettings, endpoints?: RpcEndpoints): AliasRegistryReader | null {
  const { aliasRegistry, aliasRegistryChain } = names;
  if (aliasRegistry === undefined) return null;
  const { rpcUrls, chainId, timeoutMs } = ens;
  const chain = aliasRegistryChain ?? { rpcUrls, chainId, endpoints };
  const contract = aliasRegistry as EthAddress;
  return new AliasRegistryReader({
    ...chain,
    contract,
    timeoutMs,
    allowPrivateFetch: false,
    subject: 'The top-level alias',
  });
}

/** The table of top-level aliases that holds under these settings. */
export function openDirectory(
  { names }: AliasSettings,
  { reader, log, clock = systemClock }: { reader: AliasRegistryReader | null; log: EventLog; clock?: Clock },
): TopLevelDirectory {
  const ttlMs = names.aliasCacheSeconds * 1_000;
  const published = reader && new PublishedAliases({ reader, clock, log, ttlMs });
  return new TopLevelDirectory(new Map(Object.entries(names.topLevelAliases)), published);
}
