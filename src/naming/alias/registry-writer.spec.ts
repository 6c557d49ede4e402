import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startLocalChain, type LocalChain } from '../../../test/support/local-chain.js';
import { deployUnlistedRegistry } from '../../../test/support/unlisted-alias-registry.js';
import { parseEthAddress, type EthAddress } from '../../common/ids.js';
import * as deploy from '../contracts/deploy.js';
import { AliasRegistryReader } from './registry-reader.js';
import { aliasTransaction, sendAlias } from './registry-writer.js';

const CONTRACT = parseEthAddress(`0x${'ab'.repeat(20)}`)!;
const GNO = { toplevel: 'gno', alias: 'gnosis.eth' };

describe('aliasTransaction', () => {
  it('is the call of setAlias, as every wallet sends it', () => {
    const { to, data } = aliasTransaction(CONTRACT, GNO);
    expect(to).toBe(CONTRACT);
    // keccak256("setAlias(string,string)"), two offsets, two strings
    expect(data).toMatch(/^0x677f8ac0/);
    for (const text of ['gno', 'gnosis.eth']) expect(data).toContain(Buffer.from(text).toString('hex'));
  });

  it.each([
    ['.gno', 'gnosis.eth', '".gno" is not how a top-level name is written; write "gno".'],
    ['GNO', 'gnosis.eth', '"GNO" is not how a top-level name is written; write "gno".'],
    ['', 'gnosis.eth', '"" is not a top-level name.'],
    ['a b', 'gnosis.eth', '"a b" is not a top-level name.'],
    ['gno', '.gnosis.eth', '".gnosis.eth" is not how an alias is written; write "gnosis.eth".'],
    ['gno', 'a.eth', '"a.eth" has 5 bytes; the contract takes aliases of 6 to 50.'],
    ['gno', `${'x'.repeat(47)}.eth`, 'has 51 bytes; the contract takes aliases of 6 to 50.'],
    ['gno', 'gnosis..eth', '"gnosis..eth" is not an alias.'],
  ])('refuses .%s -> %s in a sentence', (toplevel, alias, sentence) => {
    const refused = () => aliasTransaction(CONTRACT, { toplevel, alias });
    expect(refused).toThrow(expect.objectContaining({ code: 'ALIAS_ENTRY_INVALID' }));
    expect(refused).toThrow(sentence);
  });

  it.each(['ab.eth', `${'x'.repeat(46)}.eth`])('takes an alias as short or long as the contract does: %s', (alias) => {
    expect(() => aliasTransaction(CONTRACT, { toplevel: 'gno', alias })).not.toThrow();
  });
});

describe('sendAlias', () => {
  let chain: LocalChain;
  let owner: deploy.Deployer;
  const readers: AliasRegistryReader[] = [];

  beforeAll(async () => {
    chain = await startLocalChain();
    owner = deploy.connectDeployer({ ...chain, privateKey: chain.privateKeys[0] });
  });
  afterAll(async () => {
    for (const reader of readers) reader.close();
    owner.close();
    await chain.stop();
  });

  function send(contract: EthAddress, privateKey: string, rpcUrl = chain.rpcUrl) {
    const settings = { rpcUrls: [rpcUrl], chainId: chain.chainId, timeoutMs: 5_000 };
    const reader = new AliasRegistryReader({ ...settings, allowPrivateFetch: true, contract });
    readers.push(reader);
    const sent = sendAlias(aliasTransaction(contract, GNO), { chain: settings, reader, privateKey });
    return { sent, reader };
  }

  it.each([
    ['ours', () => deploy.deployAliasRegistry(owner)],
    ["one like dm3's", () => deployUnlistedRegistry(owner)],
  ])('sets the alias in a registry, and in vain a second time: %s', async (_, deployed) => {
    const contract = await deployed();
    const { sent, reader } = send(contract, chain.privateKeys[0]);
    await expect(sent).resolves.toMatch(/^0x[0-9a-f]{64}$/);
    await expect(reader.read('gno')).resolves.toBe('gnosis.eth');
    await expect(send(contract, chain.privateKeys[0]).sent).resolves.toMatch(/^0x/);
  });

  it('is for the owner only', async () => {
    const contract = await deploy.deployAliasRegistry(owner);
    const { sent, reader } = send(contract, chain.privateKeys[1]);
    await expect(sent).rejects.toMatchObject({ code: 'NOT_ALIAS_OWNER', kind: 'forbidden' });
    await expect(sent).rejects.toThrow(owner.address);
    await expect(reader.read('gno')).resolves.toBeNull();
  });

  it('says that there is no chain, without its URL', async () => {
    const { sent } = send(CONTRACT, chain.privateKeys[0], 'http://127.0.0.1:1/secret-key');
    await expect(sent).rejects.toMatchObject({ code: 'NAMING_UNAVAILABLE' });
    await expect(sent).rejects.not.toThrow('secret-key');
  });

  it('says that the owner has too little ether', async () => {
    const poor = `0x${'11'.repeat(32)}`;
    const { address, close } = deploy.connectDeployer({ ...chain, privateKey: poor });
    close();
    const contract = await deploy.deployAliasRegistry({ ...owner, address });
    await expect(send(contract, poor).sent).rejects.toMatchObject({
      code: 'ALIAS_NOT_SET',
      message: 'The alias was not set: the account has too little ether.',
    });
  });
});
