import { AbiCoder, concat, Interface, isHexString } from 'ethers';
import { NamingUnavailableError } from './errors.js';
import { safeFetch, type SafeFetchOptions } from './safe-fetch.js';

/** What a contract asks its caller to fetch (ERC-3668). All hex is `0x`-hex. */
export interface OffchainLookup {
  readonly sender: string;
  /** URL templates, the preferred one first. */
  readonly urls: readonly string[];
  readonly callData: string;
  readonly callbackFunction: string;
  readonly extraData: string;
}

const abi = new Interface([
  'error OffchainLookup(address sender, string[] urls, bytes callData, bytes4 callbackFunction, bytes extraData)',
]);

/** Reads the revert data of a call; null if they are anything else. */
export function parseOffchainLookup(revertData: string): OffchainLookup | null {
  try {
    const [sender, urls, callData, callbackFunction, extraData] = abi.decodeErrorResult('OffchainLookup', revertData);
    return { sender, urls: urls.toArray(), callData, callbackFunction, extraData };
  } catch {
    return null;
  }
}

/** The call with which the contract takes the answer. */
export function callbackOf(lookup: OffchainLookup, answer: string): string {
  const args = AbiCoder.defaultAbiCoder().encode(['bytes', 'bytes'], [answer, lookup.extraData]);
  return concat([lookup.callbackFunction, args]);
}

/** Where lookups may go, and until when (milliseconds of `performance.now()`). */
export interface LookupRules extends Pick<SafeFetchOptions, 'allowPrivate' | 'lookup' | 'isPublic'> {
  readonly deadline: number;
}

/** A contract may name as many URLs as it likes; we do not visit all of them. */
const MAX_URLS = 5;
/** Answers with proofs of another chain's storage are much longer than the record they prove. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** The service was asked properly, and wants no more of it: ERC-3668 has clients stop at a 4xx. */
class LookupRefusedError extends Error {}

/**
 * Asks the services of a lookup in turn, five at most; each gets an equal share of the time that is left.
 * @returns the answer, `0x`-hex, not checked yet.
 * @throws NamingUnavailableError if none answers. A 4xx counts as no answer, like everything that nobody signed: it
 *   cannot prove that a name has no record.
 */
export async function fetchAnswer(lookup: OffchainLookup, { deadline, ...rules }: LookupRules): Promise<string> {
  const urls = lookup.urls.slice(0, MAX_URLS);
  const failures: unknown[] = [];
  for (const [at, url] of urls.entries()) {
    const timeoutMs = Math.max(1, Math.ceil((deadline - performance.now()) / (urls.length - at)));
    try {
      return await ask(url, lookup, { ...rules, timeoutMs, maxBytes: MAX_ANSWER_BYTES });
    } catch (error) {
      failures.push(error);
      if (error instanceof LookupRefusedError) break;
    }
  }
  const cause = new AggregateError(failures);
  throw new NamingUnavailableError({ subject: 'The name', reason: 'no CCIP-read service answered for it', cause });
}

/** GET where the template has a place for the data, else POST (ERC-3668, "Gateway Interface"). */
async function ask(template: string, lookup: OffchainLookup, options: SafeFetchOptions): Promise<string> {
  const sender = lookup.sender.toLowerCase();
  const url = template.replace('{sender}', sender).replace('{data}', lookup.callData);
  const json = template.includes('{data}') ? undefined : { sender, data: lookup.callData };
  const { status, body } = await safeFetch(url, { ...options, json });
  const outcome = `the CCIP-read service answered HTTP ${status}`;
  if (status >= 400 && status < 500) throw new LookupRefusedError(outcome);
  if (status < 200 || status > 299) throw new Error(outcome);
  const { data } = JSON.parse(new TextDecoder().decode(body)) as { data?: unknown };
  if (!isHexString(data, true)) throw new Error('the answer of the CCIP-read service holds no data');
  return data;
}
