import { AbiCoder, Interface, isCallException, ZeroAddress, type Provider } from 'ethers';
import type { EnsName, EthAddress } from '../../common/ids.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { dnsEncode, namehash } from '../dns-name.js';
import { callbackOf, parseOffchainLookup, type OffchainLookup } from '../offchain-lookup.js';
import { ccipSignerKey } from './signer-keys.js';
import { AnswerSigner, type DigestForm } from './signer.js';

/** What a resolver contract on the chain does. */
export interface ResolverState {
  /** Where it sends its readers; null if it does not, or if there is no contract. */
  readonly urls: readonly string[] | null;
  /** Whose answers it takes. */
  readonly trusts: { readonly current: boolean; readonly next: boolean; readonly previous: boolean };
}

interface Options {
  readonly crypto: CryptoProvider;
  readonly rootSecret: Uint8Array;
  /** `ccipRead.signerVersion`. */
  readonly signerVersion: number;
  /** `ccipRead.digest`. */
  readonly form: DigestForm;
  readonly resolver: EthAddress;
  readonly rootName: EnsName;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const VALIDITY_SECONDS = 300;
const abi = new Interface(['function resolve(bytes name, bytes data)', 'function addr(bytes32 node)']);

/**
 * Asks the contract for the root name's address as a client would, and shows it an answer by each of our keys. So it
 * needs to know no more of the contract than clients do.
 * @throws what the provider throws if the chain cannot be asked
 */
export async function readResolverState(provider: Pick<Provider, 'call'>, options: Options): Promise<ResolverState> {
  const lookup = await lookupOf(provider, options);
  if (lookup === null) return { urls: null, trusts: { current: false, next: false, previous: false } };
  const takes = (version: number) => takesAnswer(provider, lookup, options, version);
  const { signerVersion } = options;
  const [current, next] = await Promise.all([takes(signerVersion), takes(signerVersion + 1)]);
  const previous = signerVersion > 1 && (await takes(signerVersion - 1));
  return { urls: lookup.urls, trusts: { current, next, previous } };
}

async function lookupOf(
  provider: Pick<Provider, 'call'>,
  { resolver, rootName }: Options,
): Promise<OffchainLookup | null> {
  const call = abi.encodeFunctionData('addr', [namehash(rootName)]);
  const data = abi.encodeFunctionData('resolve', [dnsEncode(rootName), call]);
  const reverted = await revertOf(provider, resolver, data);
  return reverted === null ? null : parseOffchainLookup(reverted);
}

async function takesAnswer(
  provider: Pick<Provider, 'call'>,
  lookup: OffchainLookup,
  { crypto, rootSecret, form, resolver, now }: Options,
  version: number,
): Promise<boolean> {
  const signer = new AnswerSigner({ crypto, privateKey: ccipSignerKey(rootSecret, version), form });
  const answer = signer.sign({
    target: resolver,
    expires: Math.floor(now / 1_000) + VALIDITY_SECONDS,
    request: lookup.callData,
    result: AbiCoder.defaultAbiCoder().encode(['address'], [ZeroAddress]),
  });
  return (await revertOf(provider, resolver, callbackOf(lookup, answer))) === null;
}

/** The data with which the contract ended a call, `0x` if there are none; null if it returned. */
async function revertOf(provider: Pick<Provider, 'call'>, to: string, data: string): Promise<string | null> {
  try {
    await provider.call({ to, data });
    return null;
  } catch (error) {
    if (isCallException(error)) return error.data ?? '0x';
    throw error;
  }
}
