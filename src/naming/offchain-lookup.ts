import { AbiCoder, concat, Interface, isHexString } from 'ethers';
import { NamingUnavailableError } from './errors.js';
import { safeFetch } from './safe-fetch.js';

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

/**
 * Asks the services of a lookup in turn; each gets an equal share of the time.
 * @returns the answer, `0x`-hex, not checked yet.
 * @throws NamingUnavailableError if none answers. A 4xx counts as no answer, like everything that nobody signed: it
 *   cannot prove that a name has no record.
 */
export async function fetchAnswer(
  lookup: OffchainLookup,
  options: { timeoutMs: number; allowPrivate: boolean },
): Promise<string> {
  const share = { ...options, timeoutMs: Math.ceil(options.timeoutMs / lookup.urls.length) };
  const failures: unknown[] = [];
  for (const url of lookup.urls) {
    try {
      return await ask(url, lookup, share);
    } catch (error) {
      failures.push(error);
    }
  }
  const cause = new AggregateError(failures);
  throw new NamingUnavailableError({ subject: 'The name', reason: 'no CCIP-read service answered for it', cause });
}

/** GET where the template has a place for the data, else POST (ERC-3668, "Gateway Interface"). */
async function ask(
  template: string,
  lookup: OffchainLookup,
  options: { timeoutMs: number; allowPrivate: boolean },
): Promise<string> {
  const sender = lookup.sender.toLowerCase();
  const url = template.replace('{sender}', sender).replace('{data}', lookup.callData);
  const json = template.includes('{data}') ? undefined : { sender, data: lookup.callData };
  const { status, body } = await safeFetch(url, { ...options, json });
  if (status !== 200) throw new Error(`the CCIP-read service answered HTTP ${status}`);
  const { data } = JSON.parse(new TextDecoder().decode(body)) as { data?: unknown };
  if (!isHexString(data, true)) throw new Error('the answer of the CCIP-read service holds no data');
  return data;
}
