import { parseEthAddress, type EthAddress } from '../../common/ids.js';
import { ChainReader, type ChainReaderSettings } from '../chain-reader.js';
import { NamingUnavailableError } from '../errors.js';
import { REGISTRY_ABI } from './registry-abi.js';

export interface AliasRegistrySettings extends ChainReaderSettings {
  /** The contract: dm3's, or our TopLevelAliasRegistry. */
  readonly contract: EthAddress;
}

/** A registry with more is asked for each top level by itself: reading all of it would cost more than it saves. */
const MAX_LISTED = 500;

/** Reads dm3's registry of top-level aliases: `label.<toplevel>` stands for `label.<alias>` (dm3 MTP: top-level alias). */
export class AliasRegistryReader {
  readonly #chain: ChainReader;

  constructor(private readonly settings: AliasRegistrySettings) {
    this.#chain = new ChainReader(settings);
  }

  /** The alias of one top-level name, null if it has none. @throws NamingUnavailableError */
  async read(toplevel: string): Promise<string | null> {
    return (await this.#required<string>('aliases', [toplevel])) || null;
  }

  /** Who may set aliases. @throws NamingUnavailableError */
  async owner(): Promise<EthAddress> {
    return parseEthAddress(await this.#required<string>('owner', []))!;
  }

  /**
   * Every entry, in the order they were made; null where the contract cannot list them (dm3's cannot) or has too many.
   * @throws NamingUnavailableError
   */
  async readAll(): Promise<ReadonlyMap<string, string> | null> {
    const count = await this.#optional<bigint>('toplevelCount', []);
    if (count === null || count > MAX_LISTED) return null;
    const entries = Array.from({ length: Number(count) }, (_, index) => this.#entryAt(index));
    return new Map(await Promise.all(entries));
  }

  /** Closes the connections, unless they are shared. */
  close(): void {
    this.#chain.close();
  }

  async #entryAt(index: number): Promise<[string, string]> {
    const toplevel = await this.#required<string>('toplevels', [index]);
    return [toplevel, await this.#required<string>('aliases', [toplevel])];
  }

  async #required<T>(method: string, args: readonly unknown[]): Promise<T> {
    const value = await this.#optional<T>(method, args);
    if (value !== null) return value;
    throw new NamingUnavailableError({
      subject: 'The top-level alias',
      reason: `the contract at ${this.settings.contract} has no ${method} function as an alias registry has it`,
    });
  }

  /** Null if the contract does not answer to the method, or with something else than it should. */
  async #optional<T>(method: string, args: readonly unknown[]): Promise<T | null> {
    const answer = await this.#chain.call(this.settings.contract, REGISTRY_ABI.encodeFunctionData(method, args));
    try {
      return answer === null ? null : (REGISTRY_ABI.decodeFunctionResult(method, answer)[0] as T);
    } catch {
      return null;
    }
  }
}
