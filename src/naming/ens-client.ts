import { dataLength, Interface, ZeroAddress } from 'ethers';
import { parseEthAddress, type EnsName, type EthAddress } from '../common/ids.js';
import { ChainReader, type ChainReaderSettings } from './chain-reader.js';
import { dnsEncode, namehash, parentOf } from './dns-name.js';
import { tryNormaliseName } from './ens-name.js';
import { NamingUnavailableError } from './errors.js';

export interface EnsClientSettings extends ChainReaderSettings {
  /** The ENS registry contract. */
  readonly registry: EthAddress;
}

/** Every label costs a call, and strangers choose the names: longer ones do not exist for us. */
const MAX_LABELS = 32;
const WILDCARD = '0x9061b923'; // interface id of ENSIP-10
const abi = new Interface([
  'function resolver(bytes32 node) view returns (address)',
  'function supportsInterface(bytes4 id) view returns (bool)',
  'function resolve(bytes name, bytes data) view returns (bytes)',
  'function addr(bytes32 node) view returns (address)',
  'function text(bytes32 node, string key) view returns (string)',
  'function name(bytes32 node) view returns (string)',
]);

type RecordCall = 'addr' | 'text' | 'name';

interface FoundResolver {
  readonly address: string;
  readonly wildcard: boolean;
}

/**
 * Reads ENS names: on the chain (EIP-137), through wildcard resolvers (ENSIP-10) and through CCIP-read (ERC-3668).
 * Every method answers null only where the chain, or an answer the resolver contract accepts, says that there is
 * nothing; otherwise it throws NamingUnavailableError.
 */
export class EnsClient {
  readonly #chain: ChainReader;

  constructor(private readonly settings: EnsClientSettings) {
    this.#chain = new ChainReader(settings);
  }

  /** The address record (coin 60). @throws NamingUnavailableError */
  async resolveAddress(name: EnsName): Promise<EthAddress | null> {
    const answer = await this.#record(name, 'addr');
    if (answer === null) return null;
    // Some dm3 resolver services answer the bare 20 bytes instead of an ABI word.
    const address = dataLength(answer) === 20 ? answer : decoded('addr', answer);
    return address === null || address === ZeroAddress ? null : parseEthAddress(address);
  }

  /** A text record (EIP-634); an empty one counts as none. @throws NamingUnavailableError */
  async text(name: EnsName, key: string): Promise<string | null> {
    const answer = await this.#record(name, 'text', key);
    return answer === null ? null : decoded('text', answer) || null;
  }

  /** The name an address calls itself (EIP-181), if that name says so too. @throws NamingUnavailableError */
  async primaryName(address: EthAddress): Promise<EnsName | null> {
    const answer = await this.#record(`${address.slice(2)}.addr.reverse`, 'name');
    const claimed = answer === null ? null : decoded('name', answer);
    const name = claimed ? tryNormaliseName(claimed) : null;
    return name !== null && (await this.resolveAddress(name)) === address ? name : null;
  }

  /** Closes the connections; calls under way fail. */
  close(): void {
    this.#chain.close();
  }

  /** The ABI-encoded answer of the name's resolver, or null if it has none. */
  async #record(name: string, method: RecordCall, ...args: string[]): Promise<string | null> {
    const resolver = await this.#findResolver(name);
    if (resolver === null) return null;
    const call = abi.encodeFunctionData(method, [namehash(name), ...args]);
    const answer = resolver.wildcard
      ? await this.#resolveWildcard(resolver.address, name, call)
      : await this.#chain.call(resolver.address, call);
    return answer === null || answer === '0x' ? null : answer;
  }

  async #resolveWildcard(resolver: string, name: string, call: string): Promise<string | null> {
    const answer = await this.#chain.call(resolver, abi.encodeFunctionData('resolve', [dnsEncode(name), call]));
    return answer === null ? null : decoded('resolve', answer);
  }

  /** The nearest resolver at or above the name; one above counts only if it is a wildcard resolver (ENSIP-10). */
  async #findResolver(name: string): Promise<FoundResolver | null> {
    if (name.split('.').length > MAX_LABELS) return null;
    const resolvers = await Promise.all(selfAndParents(name).map((each) => this.#resolverOf(each)));
    const level = resolvers.findIndex((resolver) => resolver !== ZeroAddress);
    const address = resolvers[level];
    if (address === undefined) return null;
    const wildcard = await this.#supportsWildcard(address);
    return level === 0 || wildcard ? { address, wildcard } : null;
  }

  async #resolverOf(name: string): Promise<string> {
    const answer = await this.#chain.call(this.settings.registry, abi.encodeFunctionData('resolver', [namehash(name)]));
    const resolver = answer === null ? null : decoded('resolver', answer);
    if (resolver !== null) return resolver;
    throw new NamingUnavailableError({
      subject: 'The name',
      reason: 'there is no ENS registry at the configured address of this chain',
    });
  }

  async #supportsWildcard(resolver: string): Promise<boolean> {
    const answer = await this.#chain.call(resolver, abi.encodeFunctionData('supportsInterface', [WILDCARD]));
    return answer !== null && decoded<boolean>('supportsInterface', answer) === true;
  }
}

/** The single return value of a function, or null if the data are not one: a contract may answer anything. */
function decoded<T = string>(method: string, data: string): T | null {
  try {
    return abi.decodeFunctionResult(method, data)[0] as T;
  } catch {
    return null;
  }
}

function selfAndParents(name: string): string[] {
  return name === '' ? [] : [name, ...selfAndParents(parentOf(name))];
}
