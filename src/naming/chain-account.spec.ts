import { randomBytes } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startChainLink, type ChainLink } from '../../test/support/chain-link.js';
import { createToken, setBalance, setNonce, setTokenBalance, testChain } from '../../test/support/chain-state.js';
import type { EthAddress } from '../common/ids.js';
import { ChainAccount } from './chain-account.js';

const TTL_MS = 60_000;
const RICH = 2n ** 255n;
const UNAVAILABLE = { code: 'NAMING_UNAVAILABLE', kind: 'unavailable', retryable: true };

const open: { close(): unknown }[] = [];
let now: number;
let account: EthAddress;
let token: EthAddress;

beforeEach(async () => {
  now = 0;
  account = `0x${randomBytes(20).toString('hex')}` as EthAddress;
  token = await createToken();
  await Promise.all([setNonce(account, 7), setBalance(account, 10n ** 18n), setTokenBalance(token, account, RICH)]);
});
afterAll(() => Promise.all(open.map((each) => each.close())));

function chainAt(...rpcUrls: string[]): ChainAccount {
  const { chainId } = testChain();
  const clock = { now: () => now };
  const chain = new ChainAccount({
    rpcUrls,
    chainId,
    timeoutMs: 2_000,
    allowPrivateFetch: true,
    clock,
    ttlMs: TTL_MS,
  });
  open.push(chain);
  return chain;
}

async function link(): Promise<ChainLink> {
  const chainLink = await startChainLink();
  open.push({ close: () => chainLink.stop() });
  return chainLink;
}

const factsOf = (chain: ChainAccount, who = account) =>
  Promise.all([chain.nonce(who), chain.balance(who), chain.tokenBalance(token, who)]);

describe('ChainAccount', () => {
  it('knows how active an account is and what it holds', async () => {
    const chain = chainAt(testChain().rpcUrl);
    expect(await factsOf(chain)).toEqual([7n, 10n ** 18n, RICH]);
    expect(await factsOf(chain, `0x${randomBytes(20).toString('hex')}` as EthAddress)).toEqual([0n, 0n, 0n]);
  });

  it('sees what changes, within its time and not before', async () => {
    const chain = chainAt(testChain().rpcUrl);
    const before = await factsOf(chain);
    await Promise.all([setNonce(account, 8), setBalance(account, 1n), setTokenBalance(token, account, 2n)]);
    now = TTL_MS - 1;
    expect(await factsOf(chain)).toEqual(before);
    now = TTL_MS;
    expect(await factsOf(chain)).toEqual([8n, 1n, 2n]);
  });

  it('asks the next end point where one is dead, and does not ask twice at once', async () => {
    const [dead, alive] = [await link(), await link()];
    dead.cut();
    const chain = chainAt(dead.rpcUrl, alive.rpcUrl);
    const answers = await Promise.all(Array.from({ length: 10 }, () => factsOf(chain)));
    expect(answers).toEqual(answers.map(() => [7n, 10n ** 18n, RICH]));
    expect(alive.calls).toBe(1 + 3); // which chain it is, and the three facts
  });

  it('says neither yes nor zero while the chain is away, and heals at once', async () => {
    const chainLink = await link();
    const chain = chainAt(chainLink.rpcUrl);
    await factsOf(chain);
    now = TTL_MS;
    chainLink.cut();
    for (const fact of [chain.nonce(account), chain.balance(account), chain.tokenBalance(token, account)]) {
      await expect(fact).rejects.toMatchObject({ ...UNAVAILABLE, message: expect.stringMatching(/^The sender's/) });
    }
    chainLink.mend();
    expect(await factsOf(chain)).toEqual([7n, 10n ** 18n, RICH]);
  });

  it.each([
    ['is not there', '0x'],
    ['refuses', '0x60006000fd'],
    ['answers with nothing', '0x00'],
    ['answers with half a word', '0x60106000f3'],
  ])('says nothing of an account where the token %s', async (_, code) => {
    const chain = chainAt(testChain().rpcUrl);
    const broken = chain.tokenBalance(await createToken(code), account);
    await expect(broken).rejects.toMatchObject({ ...UNAVAILABLE, message: expect.stringMatching(/no ERC-20 token/) });
  });
});
