import { Interface } from 'ethers';
import type { EthAddress } from '../../common/ids.js';
import { ChainReader, type ChainReaderSettings } from '../chain-reader.js';
import { NamingUnavailableError } from '../errors.js';

export interface AliasRegistrySettings extends ChainReaderSettings {
  /** The TopLevelAliasRegistry contract. */
  readonly contract: EthAddress;
}

const abi = new Interface([
  'function aliases(string toplevel) view returns (string)',
  'function toplevels(uint256 index) view returns (string)',
  'function toplevelCount() view returns (uint256)',
]);

/** Reads dm3's registry of top-level aliases: `label.<toplevel>` stands for `label.<alias>`. */
export class AliasRegistryReader {
  readonly #chain: ChainReader;

  constructor(private readonly settings: AliasRegistrySettings) {
    this.#chain = new ChainReader(settings);
  }

  /** The alias of one top-level name, null if it has none. @throws NamingUnavailableError */
  async read(toplevel: string): Promise<string | null> {
    return (await this.#call<string>('aliases', [toplevel])) || null;
  }

  /**
   * Every entry, in the order they were made. Needs our own contract: dm3's has no enumeration.
   * @throws NamingUnavailableError
   */
  async readAll(): Promise<Map<string, string>> {
    const count = Number(await this.#call<bigint>('toplevelCount', []));
    const entries = Array.from({ length: count }, (_, index) => this.#entryAt(index));
    return new Map(await Promise.all(entries));
  }

  /** Closes the connections; calls under way fail. */
  close(): void {
    this.#chain.close();
  }

  async #entryAt(index: number): Promise<[string, string]> {
    const toplevel = await this.#call<string>('toplevels', [index]);
    return [toplevel, await this.#call<string>('aliases', [toplevel])];
  }

  async #call<T>(method: string, args: readonly unknown[]): Promise<T> {
    const answer = await this.#chain.call(this.settings.contract, abi.encodeFunctionData(method, args));
    if (answer !== null && answer !== '0x') return abi.decodeFunctionResult(method, answer)[0] as T;
    throw new NamingUnavailableError({
      subject: 'The top-level alias',
      reason: `the contract at the configured address has no ${method} function`,
    });
  }
}
