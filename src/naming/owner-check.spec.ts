import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { changeOwner, deployContractWallet, signProfileFor } from '../../test/support/contract-wallet.js';
import { startLocalChain, type LocalChain } from '../../test/support/local-chain.js';
import type { EthAddress } from '../common/ids.js';
import { createNobleProvider } from '../protocol/crypto/noble.js';
import { signProfile, type SignedUserProfile, type UserProfile } from '../protocol/profile/user-profile.js';
import { ChainReader } from './chain-reader.js';
import { connectDeployer, type Deployer } from './contracts/deploy.js';
import { OwnerCheck } from './owner-check.js';

const crypto = createNobleProvider();
const key = randomBytes(32);
const anotherKey = randomBytes(32);
const keyAddress = crypto.ethereumAddress(key);
const profile: UserProfile = {
  publicEncryptionKey: randomBytes(32).toString('base64'),
  publicSigningKey: randomBytes(32).toString('base64'),
  deliveryServices: ['ds.eth'],
};

let chain: LocalChain;
let deployer: Deployer;
let reader: ChainReader;
let owners: OwnerCheck;
let wallet: EthAddress;
beforeAll(async () => {
  chain = await startLocalChain();
  deployer = connectDeployer({ ...chain, privateKey: chain.privateKeys[0] });
  reader = readerOf(chain.rpcUrl);
  owners = new OwnerCheck({ crypto, chain: reader });
  wallet = await deployContractWallet(deployer, keyAddress);
});
afterAll(async () => {
  reader.close();
  deployer.close();
  await chain.stop();
});

function readerOf(rpcUrl: string): ChainReader {
  return new ChainReader({ rpcUrls: [rpcUrl], chainId: chain.chainId, timeoutMs: 2_000, allowPrivateFetch: true });
}

const signedFor = (account: EthAddress, by = key): SignedUserProfile =>
  signProfileFor(crypto, { profile, account, key: by });

describe('OwnerCheck', () => {
  it('takes the signature of a key without asking the chain', async () => {
    const call = jest.fn<ChainReader['call']>();
    const check = new OwnerCheck({ crypto, chain: { call } });
    await expect(check.isSignedBy(signProfile(crypto, profile, key), keyAddress)).resolves.toBe(true);
    expect(call).not.toHaveBeenCalled();
  });

  it('takes what the contract at the address takes', async () => {
    await expect(owners.isSignedBy(signedFor(wallet), wallet)).resolves.toBe(true);
  });

  it.each([
    ['another key signed', () => signedFor(wallet, anotherKey)],
    ['the signature is for another account', () => signedFor(keyAddress)],
    ['the profile was changed', () => ({ ...signedFor(wallet), profile: { ...profile, deliveryServices: [] } })],
    ['the contract gives up on it', () => ({ profile, signature: '0x1234' })],
    ['it is no hex', () => ({ profile, signature: 'nonsense' })],
    ['it is beyond all measure', () => ({ profile, signature: `0x${'ab'.repeat(20_000)}` })],
  ])('refuses it if %s', async (_, signed) => {
    await expect(owners.isSignedBy(signed(), wallet)).resolves.toBe(false);
  });

  it('refuses what neither a key signed nor a contract could take', async () => {
    await expect(owners.isSignedBy(signedFor(keyAddress, anotherKey), keyAddress)).resolves.toBe(false);
  });

  it('follows the contract to a new key', async () => {
    const account = await deployContractWallet(deployer, keyAddress);
    await changeOwner(deployer, account, crypto.ethereumAddress(anotherKey));
    await expect(owners.isSignedBy(signedFor(account), account)).resolves.toBe(false);
    await expect(owners.isSignedBy(signedFor(account, anotherKey), account)).resolves.toBe(true);
  });

  it('knows nothing while the chain does not answer, rather than that it is forged', async () => {
    const lost = readerOf('http://127.0.0.1:1');
    const blind = new OwnerCheck({ crypto, chain: lost });
    const failure = { code: 'NAMING_UNAVAILABLE', retryable: true };
    await expect(blind.isSignedBy(signedFor(wallet), wallet)).rejects.toMatchObject(failure);
    lost.close();
  });
});
