import { EnsPlugin, JsonRpcProvider, Network } from 'ethers';
import { providers as ethers5 } from 'ethers5';
import type { EthAddress } from '../../src/common/ids.js';

interface Chain {
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly registry: EthAddress;
}

/** The part that both versions of ethers have in common. */
interface Resolver {
  getAddress(coinType?: number): Promise<string | null>;
  getText(key: string): Promise<string | null>;
  getContentHash(): Promise<string | null>;
}

/** ENS as software of others reads it; null is what it shows where there is no such record. */
export interface EnsReader {
  address(name: string, coinType?: number): Promise<string | null>;
  text(name: string, key: string): Promise<string | null>;
  contentHash(name: string): Promise<string | null>;
}

/** The two libraries that clients read names with: dm3's run ethers 5. */
export function openEnsClients({ rpcUrl, chainId, registry }: Chain) {
  const network = new Network('test', chainId).attachPlugin(new EnsPlugin(registry, chainId));
  const newer = new JsonRpcProvider(rpcUrl, network, { staticNetwork: network, cacheTimeout: -1 });
  const older = new ethers5.StaticJsonRpcProvider(rpcUrl, { name: 'test', chainId, ensAddress: registry });
  const readers = {
    'ethers 5': readerOf((name) => older.getResolver(name)),
    'ethers 6': readerOf((name) => newer.getResolver(name)),
  };
  return { readers, provider: newer, close: () => newer.destroy() };
}

function readerOf(resolverOf: (name: string) => Promise<Resolver | null>): EnsReader {
  const ask = async (name: string, question: (resolver: Resolver) => Promise<string | null>) => {
    const resolver = await resolverOf(name);
    return (resolver && (await question(resolver))) || null; // ethers 6 gives the empty text of the answer
  };
  return {
    address: (name, coinType) => ask(name, (resolver) => resolver.getAddress(coinType)),
    text: (name, key) => ask(name, (resolver) => resolver.getText(key)),
    contentHash: (name) => ask(name, (resolver) => resolver.getContentHash()),
  };
}
