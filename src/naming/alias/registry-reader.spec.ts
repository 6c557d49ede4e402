import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startLocalChain, type LocalChain } from '../../../test/support/local-chain.js';
import { deployUnlistedRegistry } from '../../../test/support/unlisted-alias-registry.js';
import type { EthAddress } from '../../common/ids.js';
import * as deploy from '../contracts/deploy.js';
import { AliasRegistryReader } from './registry-reader.js';

let chain: LocalChain;
let deployer: deploy.Deployer;
let aliasRegistry: EthAddress;
const readers: AliasRegistryReader[] = [];

beforeAll(async () => {
  chain = await startLocalChain();
  deployer = deploy.connectDeployer({ ...chain, privateKey: chain.privateKeys[0] });
  aliasRegistry = await deploy.deployAliasRegistry(deployer);
});

afterAll(async () => {
  for (const reader of readers) reader.close();
  deployer.close();
  await chain.stop();
});

function newReader(contract = aliasRegistry, rpcUrl = chain.rpcUrl): AliasRegistryReader {
  const settings = { rpcUrls: [rpcUrl], chainId: chain.chainId, timeoutMs: 5_000, allowPrivateFetch: true };
  const reader = new AliasRegistryReader({ ...settings, contract });
  readers.push(reader);
  return reader;
}

const unavailable = { code: 'NAMING_UNAVAILABLE', retryable: true };

describe('AliasRegistryReader', () => {
  it('reads what was set and changed, and who may', async () => {
    const reader = newReader();
    await expect(reader.readAll()).resolves.toEqual(new Map());
    await deploy.setAlias(deployer, { aliasRegistry, toplevel: 'email', alias: 'email.gateway.eth' });
    await deploy.setAlias(deployer, { aliasRegistry, toplevel: 'gno', alias: 'gnosis.eth' });
    await deploy.setAlias(deployer, { aliasRegistry, toplevel: 'email', alias: 'mail.gateway.eth' });
    await expect(reader.readAll()).resolves.toEqual(
      new Map([
        ['email', 'mail.gateway.eth'],
        ['gno', 'gnosis.eth'],
      ]),
    );
    await expect(reader.read('gno')).resolves.toBe('gnosis.eth');
    await expect(reader.read('up')).resolves.toBeNull();
    await expect(reader.owner()).resolves.toBe(deployer.address);
  });

  it("reads a contract like dm3's, which lists nothing, entry by entry", async () => {
    const unlisted = await deployUnlistedRegistry(deployer);
    await deploy.setAlias(deployer, { aliasRegistry: unlisted, toplevel: 'gno', alias: 'gnosis.eth' });
    const reader = newReader(unlisted);
    await expect(reader.readAll()).resolves.toBeNull();
    await expect(reader.read('gno')).resolves.toBe('gnosis.eth');
    await expect(reader.read('up')).resolves.toBeNull();
  });

  it('fails where there is no such contract, or no chain', async () => {
    const noContract = newReader(deployer.address);
    await expect(noContract.readAll()).resolves.toBeNull();
    await expect(noContract.read('gno')).rejects.toMatchObject(unavailable);
    const anotherContract = newReader(await deploy.deployRegistry(deployer));
    await expect(anotherContract.read('gno')).rejects.toMatchObject(unavailable);
    const noChain = newReader(aliasRegistry, 'http://127.0.0.1:1');
    await expect(noChain.readAll()).rejects.toMatchObject(unavailable);
  });
});
