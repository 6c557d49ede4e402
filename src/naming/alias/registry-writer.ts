import { isCallException, isError, JsonRpcProvider, Wallet } from 'ethers';
import { GatewayError } from '../../common/errors.js';
import { parseEthAddress, type EthAddress } from '../../common/ids.js';
import { quoted, tryNormaliseName } from '../ens-name.js';
import { NamingUnavailableError } from '../errors.js';
import { createRpcProvider } from '../rpc/rpc-provider.js';
import { REGISTRY_ABI } from './registry-abi.js';
import type { AliasRegistryReader } from './registry-reader.js';

/** Lets `label.<toplevel>` stand for `label.<alias>`. */
export interface AliasEntry {
  readonly toplevel: string;
  readonly alias: string;
}

/** What the owner's wallet has to send. */
export interface AliasTransaction {
  readonly to: EthAddress;
  /** Call data, `0x`-hex. */
  readonly data: string;
}

interface Chain {
  readonly rpcUrls: readonly string[];
  readonly chainId: number;
  readonly timeoutMs: number;
}

/** dm3's contract counts bytes (dm3 MTP: top-level alias). */
const ALIAS_BYTES = { least: 6, most: 50 };
const MINED_MS = 120_000;

/** The contract would refuse the entry, or no name could ever use it. */
export class AliasEntryInvalidError extends GatewayError {
  constructor({ text, reason }: { text: string; reason: string }) {
    super({ code: 'ALIAS_ENTRY_INVALID', kind: 'invalid-input', message: `${quoted(text)} ${reason}.` });
  }
}

/** The key is somebody else's. */
export class NotAliasOwnerError extends GatewayError {
  constructor({ owner, sender }: { owner: EthAddress; sender: EthAddress }) {
    const message = `The alias registry belongs to ${owner}, and the key given is that of ${sender}: only the owner can set aliases.`;
    super({ code: 'NOT_ALIAS_OWNER', kind: 'forbidden', message });
  }
}

/** The transaction did not get through. */
export class AliasNotSetError extends GatewayError {
  /** @param options.reason the rest of a sentence: "the account has too little ether for it" */
  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super({ code: 'ALIAS_NOT_SET', kind: 'unavailable', message: `The alias was not set: ${reason}.`, cause });
  }
}

/** @throws AliasEntryInvalidError */
export function aliasTransaction(contract: EthAddress, { toplevel, alias }: AliasEntry): AliasTransaction {
  checkSpelling(toplevel, 'a top-level name');
  checkSpelling(alias, 'an alias');
  const bytes = Buffer.byteLength(alias);
  if (bytes < ALIAS_BYTES.least || bytes > ALIAS_BYTES.most) {
    const reason = `has ${bytes} bytes; the contract takes aliases of ${ALIAS_BYTES.least} to ${ALIAS_BYTES.most}`;
    throw new AliasEntryInvalidError({ text: alias, reason });
  }
  return { to: contract, data: REGISTRY_ABI.encodeFunctionData('setAlias', [toplevel, alias]) };
}

/**
 * Signs, sends and waits until it is mined. Killed in between, it may or may not have been sent: reading the entry
 * tells, and setting it once more does no harm.
 * @returns the transaction's hash
 * @throws NotAliasOwnerError, AliasNotSetError; NamingUnavailableError
 */
export async function sendAlias(
  transaction: AliasTransaction,
  options: { chain: Chain; reader: Pick<AliasRegistryReader, 'owner'>; privateKey: string },
): Promise<string> {
  const { chain, reader, privateKey } = options;
  const sender = parseEthAddress(new Wallet(privateKey).address)!;
  const owner = await reader.owner();
  if (owner !== sender) throw new NotAliasOwnerError({ owner, sender });
  const provider = createRpcProvider(chain.rpcUrls[0]!, chain);
  try {
    return await mined(transaction, provider, privateKey);
  } catch (error) {
    throw explained(error);
  } finally {
    provider.destroy();
  }
}

async function mined({ to, data }: AliasTransaction, provider: JsonRpcProvider, privateKey: string): Promise<string> {
  const sent = await new Wallet(privateKey, provider).sendTransaction({ to, data });
  await sent.wait(1, MINED_MS);
  return sent.hash;
}

/** A leading dot, capitals, whatever else is not as names are compared: no name would ever match it. */
function checkSpelling(text: string, what: string): void {
  const normal = tryNormaliseName(text.replace(/^\.+/, ''));
  if (normal === text) return;
  const reason = normal === null ? `is not ${what}` : `is not how ${what} is written; write ${quoted(normal)}`;
  throw new AliasEntryInvalidError({ text, reason });
}

/** The errors of ethers quote URLs, which may hold keys of their own. */
function explained(error: unknown): GatewayError {
  if (isError(error, 'INSUFFICIENT_FUNDS')) return new AliasNotSetError({ reason: 'the account has too little ether' });
  if (isError(error, 'TIMEOUT')) {
    return new AliasNotSetError({ reason: 'the transaction was sent, but is not mined yet; "alias get" will show it' });
  }
  if (isCallException(error)) return new AliasNotSetError({ reason: 'the contract refuses it' });
  return new NamingUnavailableError({ subject: 'The alias registry', reason: 'the Ethereum node took no transaction' });
}
