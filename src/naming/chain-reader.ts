import { dataSlice, id, isCallException, type JsonRpcProvider } from 'ethers';
import type { EthAddress } from '../common/ids.js';
import { NamingUnavailableError } from './errors.js';
import { callbackOf, fetchAnswer, parseOffchainLookup, type OffchainLookup } from './offchain-lookup.js';
import { createRpcProvider } from './rpc-provider.js';

export interface ChainReaderSettings {
  /** JSON-RPC endpoints, the preferred one first. At least one. */
  readonly rpcUrls: readonly string[];
  readonly chainId: number;
  /** How long one endpoint may take for one call, CCIP-read included, milliseconds. */
  readonly timeoutMs: number;
  /** CCIP-read services may be on private networks: for the sandbox and for tests only. */
  readonly allowPrivateFetch: boolean;
  /** What errors say could not be looked up. Default: the name. */
  readonly subject?: string;
}

type Outcome = { readonly returned: string } | { readonly reverted: string };

/** ERC-3668 asks for a limit: a callback may order the next lookup. */
const MAX_LOOKUPS = 4;
/** How nodes word a call that the contract itself ended, where they send no revert data along. */
const CONTRACT_FAILURE = /revert|invalid (opcode|jump)|out of gas|stack (under|over)flow|VM (execution|exception)/i;
/** ENS's resolver for DNS names ends its CCIP-read callback with this where the domain has no ENS record. */
const COULD_NOT_RESOLVE = dataSlice(id('CouldNotResolve(bytes)'), 0, 4);

/**
 * Calls contracts on one chain through several endpoints, and tells "the contract says no" from "nobody answered".
 * CCIP-read (ERC-3668) is done here and not by ethers, which makes "no record" of an answer that the contract refused.
 */
export class ChainReader {
  readonly #providers: readonly JsonRpcProvider[];

  constructor(private readonly settings: ChainReaderSettings) {
    this.#providers = settings.rpcUrls.map((url) => createRpcProvider(url, settings));
  }

  /**
   * `eth_call` on the latest block, CCIP-read included.
   *
   * @param to the contract, `0x`-hex.
   * @param data call data, `0x`-hex.
   * @returns the returned data (`0x` where there is no contract), or null if the contract refused the call.
   * @throws NamingUnavailableError if no endpoint answered, or a CCIP-read service gave no answer that counts.
   */
  call(to: string, data: string): Promise<string | null> {
    return this.#firstAnswer((provider) => this.#ask(provider, to, data));
  }

  /** How many transactions an account has sent, as of the latest block. @throws NamingUnavailableError */
  nonce(account: EthAddress): Promise<number> {
    return this.#firstAnswer((provider) => provider.getTransactionCount(account));
  }

  /** The wei of an account, as of the latest block. @throws NamingUnavailableError */
  balance(account: EthAddress): Promise<bigint> {
    return this.#firstAnswer((provider) => provider.getBalance(account));
  }

  close(): void {
    for (const provider of this.#providers) provider.destroy();
  }

  async #firstAnswer<T>(ask: (provider: JsonRpcProvider) => Promise<T>): Promise<T> {
    const failures: unknown[] = [];
    for (const provider of this.#providers) {
      try {
        return await within(this.settings.timeoutMs, ask(provider));
      } catch (error) {
        if (error instanceof NamingUnavailableError) throw error;
        failures.push(error);
      }
    }
    const { subject = 'The name' } = this.settings;
    const cause = new AggregateError(failures);
    throw new NamingUnavailableError({ subject, reason: 'no Ethereum node answered', cause });
  }

  async #ask(provider: JsonRpcProvider, to: string, data: string): Promise<string | null> {
    const first = await ethCall(provider, to, data);
    const lookup = lookupIn(first);
    if (lookup !== null) return this.#follow(provider, to, lookup);
    return 'returned' in first ? first.returned : null;
  }

  /** Fetches what the contract asked for and hands it over, as often as it asks. */
  async #follow(provider: JsonRpcProvider, to: string, asked: OffchainLookup): Promise<string | null> {
    let lookup = asked;
    for (let lookups = 0; lookups < MAX_LOOKUPS; lookups += 1) {
      const answer = await this.#fetch(to, lookup);
      const outcome = await ethCall(provider, to, callbackOf(lookup, answer));
      const next = lookupIn(outcome);
      if (next === null) return 'returned' in outcome ? outcome.returned : refusedAnswer(outcome.reverted);
      lookup = next;
    }
    throw unavailable('its resolver contract asks for one CCIP-read after the other');
  }

  #fetch(to: string, lookup: OffchainLookup): Promise<string> {
    // ERC-3668: else a contract could pass on a lookup that another one made.
    if (lookup.sender.toLowerCase() !== to.toLowerCase()) {
      throw unavailable('its resolver contract passed on the CCIP-read of another one');
    }
    const { timeoutMs, allowPrivateFetch } = this.settings;
    return fetchAnswer(lookup, { timeoutMs: timeoutMs / 2, allowPrivate: allowPrivateFetch });
  }
}

async function ethCall(provider: JsonRpcProvider, to: string, data: string): Promise<Outcome> {
  try {
    return { returned: await provider.call({ to, data }) };
  } catch (error) {
    const reverted = revertDataOf(error);
    if (reverted === null) throw error;
    return { reverted };
  }
}

/**
 * The revert data if it was the contract that ended the call, else null. ethers names every JSON-RPC error of an
 * `eth_call` CALL_EXCEPTION, a rate limit or a missing block among them; only data or the node's wording tell.
 */
function revertDataOf(error: unknown): string | null {
  if (!isCallException(error)) return null;
  if (error.data !== null) return error.data;
  const { message } = (error.info?.['error'] ?? {}) as { message?: unknown };
  return typeof message === 'string' && CONTRACT_FAILURE.test(message) ? '0x' : null;
}

function lookupIn(outcome: Outcome): OffchainLookup | null {
  return 'reverted' in outcome ? parseOffchainLookup(outcome.reverted) : null;
}

/** An expired answer, or one by a stranger, proves nothing about the name. */
function refusedAnswer(revertData: string): null {
  if (revertData.startsWith(COULD_NOT_RESOLVE)) return null;
  throw unavailable('its resolver contract refused the answer of the CCIP-read service');
}

function unavailable(reason: string): NamingUnavailableError {
  return new NamingUnavailableError({ subject: 'The name', reason });
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
