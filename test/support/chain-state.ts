import { randomBytes } from 'node:crypto';
import { toBeHex, zeroPadValue } from 'ethers';
import type { EthAddress } from '../../src/common/ids.js';
import { ask } from './http-answer.js';

/** The run's chain. */
export const testChain = () => ({
  rpcUrl: process.env['TEST_RPC_URL']!,
  chainId: Number(process.env['TEST_CHAIN_ID']),
});

/** Lets somebody's account on the run's chain have sent so many transactions. */
export const setNonce = (account: EthAddress, nonce: number) => anvil('anvil_setNonce', account, toBeHex(nonce));

/** @param wei what the account holds from now on */
export const setBalance = (account: EthAddress, wei: bigint) => anvil('anvil_setBalance', account, toBeHex(wei));

/**
 * An ERC-20 contract as far as `balanceOf` goes: it answers with what lies in storage under the owner's address, and
 * reverts whatever else it is asked.
 */
const TOKEN_CODE = [
  '0x60003560e01c', // the selector
  '6370a08231146013576000', // is that of balanceOf(address), or else:
  '80fd', // revert
  '5b60043554', // load what is stored under the argument
  '60005260206000f3', // and return it
].join('');

/**
 * @param code what runs there instead of a token's
 * @returns the address of a token that nobody holds yet
 */
export async function createToken(code = TOKEN_CODE): Promise<EthAddress> {
  const token = `0x${randomBytes(20).toString('hex')}` as EthAddress;
  await anvil('anvil_setCode', token, code);
  return token;
}

/** @param units smallest units the owner holds from now on */
export const setTokenBalance = (token: EthAddress, owner: EthAddress, units: bigint) =>
  anvil('anvil_setStorageAt', token, zeroPadValue(owner, 32), toBeHex(units, 32));

async function anvil(method: string, ...params: string[]): Promise<void> {
  const { json } = await ask(testChain().rpcUrl, { body: { jsonrpc: '2.0', id: 1, method, params } });
  const { error } = json as { error?: { message: string } };
  if (error) throw new Error(`${method}: ${error.message}`);
}
