import { dataSlice, id, isCallException, type JsonRpcProvider } from 'ethers';
import type { EthAddress } from '../common/ids.js';
import { NamingUnavailableError } from './errors.js';
import { callbackOf, fetchAnswer, parseOffchainLookup, type OffchainLookup } from './offchain-lookup.js';
import { RpcEndpoints, type RpcSettings } from './rpc/rpc-endpoints.js';

/** `timeoutMs` also holds for all CCIP-reads of one call together. */
export interface ChainReaderSettings extends RpcSettings {
  /** Shared with the other readers of the process, and closed by whoever made them. Default: its own. */
  readonly endpoints?: RpcEndpoints;
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
  readonly #endpoints: RpcEndpoints;

  constructor(private readonly settings: ChainReaderSettings) {
    this.#endpoints = settings.endpoints ?? new RpcEndpoints(settings);
  }

  /**
   * `eth_call` on the latest block, CCIP-read included.
   *
   * @param to the contract, `0x`-hex.
   * @param data call data, `0x`-hex.
   * @returns the returned data (`0x` where there is no contract), or null if the contract refused the call.
   * @throws NamingUnavailableError if no endpoint answered, or a CCIP-read service gave no answer that counts.
   */
  async call(to: string, data: string): Promise<string | null> {
    const first = await this.#ask((provider) => ethCall(provider, to, data));
    const lookup = lookupIn(first);
    if (lookup !== null) return this.#follow(to, lookup);
    return 'returned' in first ? first.returned : null;
  }

  /** How many transactions an account has sent, as of the latest block. @throws NamingUnavailableError */
  nonce(account: EthAddress): Promise<number> {
    return this.#ask((provider) => provider.getTransactionCount(account));
  }

  /** The wei of an account, as of the latest block. @throws NamingUnavailableError */
  balance(account: EthAddress): Promise<bigint> {
    return this.#ask((provider) => provider.getBalance(account));
  }

  close(): void {
    if (!this.settings.endpoints) this.#endpoints.close();
  }

  async #ask<T>(work: (provider: JsonRpcProvider) => Promise<T>): Promise<T> {
    try {
      return await this.#endpoints.ask(work);
    } catch (cause) {
      const { subject = 'The name' } = this.settings;
      throw new NamingUnavailableError({ subject, reason: 'no Ethereum node answered', cause });
    }
  }

  /** Fetches what the contract asked for and hands it over, as often as it asks. */
  async #follow(to: string, asked: OffchainLookup): Promise<string | null> {
    const deadline = performance.now() + this.settings.timeoutMs;
    let lookup = asked;
    for (let lookups = 0; lookups < MAX_LOOKUPS; lookups += 1) {
      const callback = callbackOf(lookup, await this.#fetch(to, lookup, deadline));
      const outcome = await this.#ask((provider) => ethCall(provider, to, callback));
      const next = lookupIn(outcome);
      if (next === null) return 'returned' in outcome ? outcome.returned : refusedAnswer(outcome.reverted);
      lookup = next;
    }
    throw unavailable('its resolver contract asks for one CCIP-read after the other');
  }

  #fetch(to: string, lookup: OffchainLookup, deadline: number): Promise<string> {
    // ERC-3668: else a contract could pass on a lookup that another one made.
    if (lookup.sender.toLowerCase() !== to.toLowerCase()) {
      throw unavailable('its resolver contract passed on the CCIP-read of another one');
    }
    return fetchAnswer(lookup, { deadline, allowPrivate: this.settings.allowPrivateFetch });
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
