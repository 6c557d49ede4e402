import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AbiCoder, concat, id, Interface, toBeHex, ZeroAddress, type Contract, type EventLog } from 'ethers';
import { startLocalChain, type LocalChain } from '../../../test/support/local-chain.js';
import { parseEthAddress, type EthAddress } from '../../common/ids.js';
import { createNobleProvider } from '../../protocol/crypto/noble.js';
import { AnswerSigner, type Answer } from '../ccip-read/signer.js';
import { dnsEncode, namehash } from '../dns-name.js';
import { normaliseName } from '../ens-name.js';
import { contractArtifact } from './artifacts.js';
import * as deploy from './deploy.js';

const ALICE = parseEthAddress('0x00000000000000000000000000000000000a11ce')!;
const FAR_FUTURE = 4_000_000_000;
const crypto = createNobleProvider();
const newSigner = (key: number) =>
  new AnswerSigner({ crypto, privateKey: new Uint8Array(32).fill(key), form: 'plain' });
const resolverAbi = new Interface([
  'function resolve(bytes name, bytes data) view returns (bytes)',
  'function addr(bytes32 node) view returns (address)',
]);

let chain: LocalChain;
let deployer: deploy.Deployer;
let stranger: deploy.Deployer;

beforeAll(async () => {
  chain = await startLocalChain();
  deployer = deploy.connectDeployer({ ...chain, privateKey: chain.privateKeys[0] });
  stranger = deploy.connectDeployer({ ...chain, privateKey: chain.privateKeys[1] });
});

afterAll(async () => {
  deployer.close();
  stranger.close();
  await chain.stop();
});

const errors = new Interface(
  (['EnsRegistry', 'PlainResolver', 'OffchainResolver', 'TopLevelAliasRegistry'] as const).flatMap((name) =>
    new Interface(contractArtifact(name).abi).fragments.filter((fragment) => fragment.type === 'error'),
  ),
);

/** The name of the error with which a contract refused a call or a transaction. */
function revertOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'no revert',
    (error: { data?: string }) => errors.parseError(error.data ?? '0x')?.name ?? String(error),
  );
}

describe('OffchainResolver', () => {
  const signer = newSigner(1);
  const other = newSigner(2);
  let resolver: EthAddress;
  let contract: Contract;

  beforeAll(async () => {
    resolver = await deploy.deployOffchainResolver(deployer, {
      urls: ['https://one.example/{sender}/{data}', 'https://two.example/'],
      signers: [signer.address],
    });
    contract = deploy.contractAt('OffchainResolver', resolver, deployer.signer);
  });

  const requestFor = (name: string) =>
    resolverAbi.encodeFunctionData('resolve', [
      dnsEncode(name),
      resolverAbi.encodeFunctionData('addr', [namehash(name)]),
    ]);
  const answer = (changes: Partial<Answer> = {}): Answer => ({
    target: resolver,
    expires: FAR_FUTURE,
    request: requestFor('alice.gateway.eth'),
    result: resolverAbi.encodeFunctionResult('addr', [ALICE]),
    ...changes,
  });
  const check = (response: string, request = requestFor('alice.gateway.eth')) =>
    contract.getFunction('resolveWithProof').staticCall(response, request);

  it('hands the request and the URLs to the client', async () => {
    const call = contract.getFunction('resolve').staticCall(dnsEncode('alice.gateway.eth'), '0x1234');
    const error = (await call.catch((e: unknown) => e)) as { revert: { name: string; args: unknown[] } };
    const request = resolverAbi.encodeFunctionData('resolve', [dnsEncode('alice.gateway.eth'), '0x1234']);
    expect(error.revert.name).toBe('OffchainLookup');
    expect(parseEthAddress(error.revert.args[0] as string)).toBe(resolver);
    expect([...(error.revert.args[1] as string[])]).toEqual([
      'https://one.example/{sender}/{data}',
      'https://two.example/',
    ]);
    expect(error.revert.args[2]).toBe(request);
  });

  it('takes an answer that its signer made for this very request', async () => {
    await expect(check(signer.sign(answer()))).resolves.toBe(answer().result);
  });

  it('refuses an expired answer', async () => {
    await expect(revertOf(check(signer.sign(answer({ expires: 1_000 }))))).resolves.toBe('AnswerExpired');
  });

  it('refuses the answer of a stranger', async () => {
    await expect(revertOf(check(other.sign(answer())))).resolves.toBe('UntrustedSigner');
  });

  it('refuses an answer made for another resolver', async () => {
    await expect(revertOf(check(signer.sign(answer({ target: ALICE }))))).resolves.toBe('UntrustedSigner');
  });

  it('refuses an answer replayed for another name', async () => {
    const call = check(signer.sign(answer()), requestFor('bob.gateway.eth'));
    await expect(revertOf(call)).resolves.toBe('UntrustedSigner');
  });

  it('refuses an answer replayed for another record of the same name', async () => {
    const name = 'alice.gateway.eth';
    const otherCall = resolverAbi.encodeFunctionData('addr', [id('another node')]);
    const call = check(signer.sign(answer()), resolverAbi.encodeFunctionData('resolve', [dnsEncode(name), otherCall]));
    await expect(revertOf(call)).resolves.toBe('UntrustedSigner');
  });

  it('refuses an answer whose result or time was changed', async () => {
    const abi = AbiCoder.defaultAbiCoder();
    const types = ['bytes', 'uint64', 'bytes'];
    const [result, expires, signature] = abi.decode(types, signer.sign(answer()));
    const otherResult = abi.encode(types, [toBeHex(1, 32), expires, signature]);
    const otherTime = abi.encode(types, [result, FAR_FUTURE + 1, signature]);
    await expect(revertOf(check(otherResult))).resolves.toBe('UntrustedSigner');
    await expect(revertOf(check(otherTime))).resolves.toBe('UntrustedSigner');
  });

  it('refuses the malleable twin of a signature, and what is none', async () => {
    const abi = AbiCoder.defaultAbiCoder();
    const types = ['bytes', 'uint64', 'bytes'];
    const [result, expires, signature] = abi.decode(types, signer.sign(answer())) as unknown as [
      string,
      bigint,
      string,
    ];
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const s = order - BigInt(`0x${signature.slice(66, 130)}`);
    const twin = concat([signature.slice(0, 66), toBeHex(s, 32), signature.endsWith('1b') ? '0x1c' : '0x1b']);
    await expect(revertOf(check(abi.encode(types, [result, expires, twin])))).resolves.toBe('MalformedSignature');
    await expect(revertOf(check(abi.encode(types, [result, expires, '0x00'])))).resolves.toBe('MalformedSignature');
  });

  it('lets its owner alone change URLs, signers and owner', async () => {
    const foreign = deploy.contractAt('OffchainResolver', resolver, stranger.signer);
    await expect(revertOf(foreign.getFunction('setUrls').staticCall([]))).resolves.toBe('NotOwner');
    await expect(revertOf(foreign.getFunction('setSigner').staticCall(ALICE, true))).resolves.toBe('NotOwner');
    await expect(revertOf(foreign.getFunction('transferOwnership').staticCall(ALICE))).resolves.toBe('NotOwner');
  });

  it('knows the interfaces it has, and that one request may ask for several records', async () => {
    const ask = (method: string, name: string) => contract.getFunction(method)(id(name).slice(0, 10));
    const names = ['supportsInterface(bytes4)', 'supportsFeature(bytes4)', 'resolve(bytes,bytes)', 'addr(bytes32)'];
    await expect(Promise.all(names.map((name) => ask('supportsInterface', name)))).resolves.toEqual([
      true,
      true,
      true,
      false,
    ]);
    await expect(ask('supportsFeature', 'eth.ens.resolver.extended.multicall')).resolves.toBe(true);
    await expect(ask('supportsFeature', 'eth.ens.resolver.singular')).resolves.toBe(false);
    await expect(contract.getFunction('supportsInterface')('0xffffffff')).resolves.toBe(false); // EIP-165
  });

  it('goes to a new owner with all rights, never to nobody, and says so in events', async () => {
    const urls = ['https://a.example'];
    const own = await deploy.deployOffchainResolver(deployer, { urls, signers: [signer.address] });
    const [former, latter] = [deployer, stranger].map((each) =>
      deploy.contractAt('OffchainResolver', own, each.signer),
    );
    await expect(revertOf(former!.getFunction('transferOwnership').staticCall(ZeroAddress))).resolves.toBe(
      'InvalidOwner',
    );
    await (await former!.getFunction('transferOwnership')(stranger.address)).wait();
    await expect(revertOf(former!.getFunction('setUrls').staticCall([]))).resolves.toBe('NotOwner');
    await (await latter!.getFunction('setUrls')(['https://b.example'])).wait();
    await (await latter!.getFunction('setSigner')(other.address, true)).wait();
    const events = await former!.queryFilter('*', 0);
    expect(events.map((event) => (event as EventLog).eventName)).toEqual([
      'OwnershipTransferred',
      'UrlsChanged',
      'SignerChanged',
      'OwnershipTransferred',
      'UrlsChanged',
      'SignerChanged',
    ]);
  });

  it('trusts several signers, and no longer one that was taken away', async () => {
    const signers = [other.address, signer.address];
    const own = await deploy.deployOffchainResolver(deployer, { urls: ['https://a.example'], signers });
    const rotating = deploy.contractAt('OffchainResolver', own, deployer.signer);
    const verify = (by: AnswerSigner) =>
      revertOf(rotating.getFunction('resolveWithProof').staticCall(by.sign(answer({ target: own })), answer().request));
    await expect(Promise.all([verify(other), verify(signer)])).resolves.toEqual(['no revert', 'no revert']);
    await deploy.setSigner(deployer, { resolver: own, signer: signer.address, trusted: false });
    await expect(Promise.all([verify(other), verify(signer)])).resolves.toEqual(['no revert', 'UntrustedSigner']);
  });
});

describe('EnsRegistry and PlainResolver', () => {
  it('give a name to its owner alone', async () => {
    const registry = await deploy.deployRegistry(deployer);
    const resolver = await deploy.deployPlainResolver(deployer, { registry });
    const name = normaliseName('alice.eth');
    await deploy.registerName(deployer, { registry, name, resolver, owner: stranger.address });

    const asDeployer = deploy.setAddr(deployer, { resolver, name, address: ALICE });
    await expect(revertOf(asDeployer)).resolves.toBe('NotNodeOwner');
    await deploy.setAddr(stranger, { resolver, name, address: ALICE });
    const contract = deploy.contractAt('PlainResolver', resolver, deployer.signer);
    expect(parseEthAddress(await contract.getFunction('addr(bytes32)')(namehash(name)))).toBe(ALICE);
    expect(await contract.getFunction('addr(bytes32,uint256)')(namehash(name), 60)).toBe(ALICE);

    const foreign = deploy.contractAt('EnsRegistry', registry, stranger.signer);
    const takeEth = foreign.getFunction('setSubnodeOwner').staticCall(namehash('eth'), id('bob'), stranger.address);
    await expect(revertOf(takeEth)).resolves.toBe('NotOwner');
  });

  it('know the interfaces they have', async () => {
    const resolver = await deploy.deployPlainResolver(deployer, { registry: ALICE });
    const contract = deploy.contractAt('PlainResolver', resolver, deployer.signer);
    const supports = (interfaceId: string) => contract.getFunction('supportsInterface')(interfaceId);
    const known = ['0x01ffc9a7', '0x3b3b57de', '0xf1cb7e06', '0x59d1d43c', '0x691f3431'];
    await expect(Promise.all(known.map(supports))).resolves.toEqual([true, true, true, true, true]);
    await expect(supports('0x9061b923')).resolves.toBe(false);
  });
});

describe('TopLevelAliasRegistry', () => {
  let aliasRegistry: EthAddress;
  let contract: Contract;

  beforeAll(async () => {
    aliasRegistry = await deploy.deployAliasRegistry(deployer);
    contract = deploy.contractAt('TopLevelAliasRegistry', aliasRegistry, deployer.signer);
  });

  const set = (toplevel: string, alias: string) =>
    revertOf(deploy.setAlias(deployer, { aliasRegistry, toplevel, alias }));

  it('sets, changes and lists', async () => {
    await expect(set('gno', 'gnosis.eth')).resolves.toBe('no revert');
    await expect(set('email', 'email.gateway.eth')).resolves.toBe('no revert');
    await expect(set('gno', 'gnosis2.eth')).resolves.toBe('no revert');
    expect(await contract.getFunction('aliases')('gno')).toBe('gnosis2.eth');
    expect(await contract.getFunction('existsAlias')('gno')).toBe(true);
    expect(await contract.getFunction('existsAlias')('up')).toBe(false);
    expect(await contract.getFunction('toplevelCount')()).toBe(2n);
    expect(await contract.getFunction('toplevels')(1)).toBe('email');
  });

  it('keeps to the rules of length and dots', async () => {
    await expect(set('', 'gnosis.eth')).resolves.toBe('InvalidTopLevel');
    await expect(set('.gno', 'gnosis.eth')).resolves.toBe('InvalidTopLevel');
    await expect(set('gno', '.gnosis.eth')).resolves.toBe('InvalidAlias');
    await expect(set('gno', 'a.eth')).resolves.toBe('InvalidAlias');
    await expect(set('gno', 'ab.eth')).resolves.toBe('no revert');
    await expect(set('gno', 'a'.repeat(50))).resolves.toBe('no revert');
    await expect(set('gno', 'a'.repeat(51))).resolves.toBe('InvalidAlias');
    await expect(set('gno', 'ä'.repeat(26))).resolves.toBe('InvalidAlias'); // bytes count, not letters
  });

  it('obeys its owner alone, who may hand it on', async () => {
    const foreign = deploy.setAlias(stranger, { aliasRegistry, toplevel: 'up', alias: 'lukso.eth' });
    await expect(revertOf(foreign)).resolves.toBe('NotOwner');
    const transfer = contract.getFunction('transferOwnership');
    await expect(revertOf(transfer.staticCall(ZeroAddress))).resolves.toBe('InvalidOwner');
    await (await transfer(stranger.address)).wait();
    await expect(set('up', 'lukso.eth')).resolves.toBe('NotOwner');
    await deploy.setAlias(stranger, { aliasRegistry, toplevel: 'up', alias: 'lukso.eth' });
    expect(await contract.getFunction('aliases')('up')).toBe('lukso.eth');
  });
});
