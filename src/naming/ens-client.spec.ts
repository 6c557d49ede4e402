import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { JsonRpcProvider, Network, EnsPlugin } from 'ethers';
import { providers as ethers5 } from 'ethers5';
import { startHttpServer, type TestServer, sendJson } from '../../test/support/http-server.js';
import { startLocalChain, type LocalChain } from '../../test/support/local-chain.js';
import { systemClock } from '../common/clock.js';
import { parseEthAddress, type EthAddress } from '../common/ids.js';
import { createNobleProvider } from '../protocol/crypto/noble.js';
import { CcipReadService } from './ccip-read/ccip-read.service.js';
import type { RecordSource } from './ccip-read/records.js';
import { AnswerSigner } from './ccip-read/signer.js';
import * as deploy from './contracts/deploy.js';
import { EnsClient } from './ens-client.js';
import { normaliseName } from './ens-name.js';
import { NamingUnavailableError } from './errors.js';

const ALICE = normaliseName('alice._at.example.com.email.gateway.eth');
const ALICE_ADDRESS = parseEthAddress('0x00000000000000000000000000000000000a11ce')!;
const BOB = normaliseName('bob.eth');
const BOB_ADDRESS = parseEthAddress('0x0000000000000000000000000000000000000b0b')!;
const PROFILE = 'network.dm3.profile';
const crypto = createNobleProvider();
const newSigner = (key: number) =>
  new AnswerSigner({ crypto, privateKey: new Uint8Array(32).fill(key), form: 'plain' });
const TRUSTED = newSigner(1);
const STRANGER = newSigner(2);

const source: RecordSource = {
  find: (name) =>
    Promise.resolve(name === ALICE ? { address: ALICE_ADDRESS, texts: { [PROFILE]: 'profile of alice' } } : null),
};

let chain: LocalChain;
let deployer: deploy.Deployer;
let registry: EthAddress;
let plain: EthAddress;
let offchain: EthAddress;
let server: TestServer;
let client: EnsClient;

const settings = () => ({
  rpcUrls: [chain.rpcUrl],
  chainId: chain.chainId,
  registry,
  timeoutMs: 5_000,
  allowPrivateFetch: true,
});

beforeAll(async () => {
  chain = await startLocalChain();
  server = await startHttpServer();
  deployer = deploy.connectDeployer({ ...chain, privateKey: chain.privateKeys[0] });
  registry = await deploy.deployRegistry(deployer);
  plain = await deploy.deployPlainResolver(deployer, { registry });
  offchain = await deploy.deployOffchainResolver(deployer, { urls: [getUrl()], signers: [TRUSTED.address] });
  await deploy.registerName(deployer, { registry, name: normaliseName('gateway.eth'), resolver: offchain });
  await deploy.registerName(deployer, { registry, name: BOB, resolver: plain });
  await deploy.setAddr(deployer, { resolver: plain, name: BOB, address: BOB_ADDRESS });
  await deploy.setText(deployer, { resolver: plain, name: BOB, key: PROFILE, value: 'profile of bob' });
  client = new EnsClient(settings());
});

afterAll(async () => {
  client.close();
  deployer.close();
  await server.stop();
  await chain.stop();
});

beforeEach(async () => {
  server.handler = ccipServer(TRUSTED);
  await deploy.setUrls(deployer, { resolver: offchain, urls: [getUrl()] });
});

const getUrl = () => `${server.url}/{sender}/{data}.json`;

/** CCIP-read over GET and POST, as short as it can be. */
function ccipServer(signer: AnswerSigner) {
  const options = { sources: [source], signer, clock: systemClock, validitySeconds: 300 };
  const service = () => new CcipReadService({ ...options, resolvers: [offchain] });
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const [, sender, data] = /^\/(\w+)\/(\w+)\.json$/.exec(request.url!) ?? [];
    const asked = request.method === 'GET' ? { sender, data } : JSON.parse(await text(request));
    sendJson(response, await service().answer(asked.sender, asked.data));
  };
  return (request: IncomingMessage, response: ServerResponse) => void answer(request, response);
}

const unavailable = expect.objectContaining({ code: 'NAMING_UNAVAILABLE', kind: 'unavailable', retryable: true });

describe('EnsClient', () => {
  it('reads names on the chain', async () => {
    await expect(client.resolveAddress(BOB)).resolves.toBe(BOB_ADDRESS);
    await expect(client.text(BOB, PROFILE)).resolves.toBe('profile of bob');
  });

  it('reads names below a wildcard resolver through CCIP-read, by GET', async () => {
    await expect(client.resolveAddress(ALICE)).resolves.toBe(ALICE_ADDRESS);
    await expect(client.text(ALICE, PROFILE)).resolves.toBe('profile of alice');
  });

  it('reads them by POST too', async () => {
    await deploy.setUrls(deployer, { resolver: offchain, urls: [server.url] });
    await expect(client.text(ALICE, PROFILE)).resolves.toBe('profile of alice');
  });

  it('says null where there is no resolver, no address or no record', async () => {
    await expect(client.resolveAddress(normaliseName('nobody.eth'))).resolves.toBeNull();
    await expect(client.resolveAddress(normaliseName('under.bob.eth'))).resolves.toBeNull();
    await expect(client.resolveAddress(normaliseName('nobody.gateway.eth'))).resolves.toBeNull();
    await expect(client.text(normaliseName('nobody.gateway.eth'), PROFILE)).resolves.toBeNull();
    await expect(client.text(BOB, 'description')).resolves.toBeNull();
    await expect(client.text(ALICE, 'description')).resolves.toBeNull();
  });

  it('does not ask for a name of more than 32 labels', async () => {
    const unreachable = new EnsClient({ ...settings(), rpcUrls: ['http://127.0.0.1:1'] });
    const name = (labels: number) => normaliseName(`${'a.'.repeat(labels - 1)}eth`);
    await expect(unreachable.resolveAddress(name(33))).resolves.toBeNull();
    await expect(unreachable.resolveAddress(name(32))).rejects.toEqual(unavailable);
    unreachable.close();
  });

  it('reads a name that ENSIP-15 refuses, as it is', async () => {
    const name = normaliseName('a_b.eth');
    await deploy.registerName(deployer, { registry, name, resolver: plain });
    await deploy.setAddr(deployer, { resolver: plain, name, address: ALICE_ADDRESS });
    await expect(client.resolveAddress(name)).resolves.toBe(ALICE_ADDRESS);
  });

  it('says null for a resolver that is no contract', async () => {
    const name = normaliseName('empty.eth');
    await deploy.registerName(deployer, { registry, name, resolver: BOB_ADDRESS });
    await expect(client.resolveAddress(name)).resolves.toBeNull();
  });

  it('believes a primary name only if the name says so too', async () => {
    await expect(client.primaryName(BOB_ADDRESS)).resolves.toBeNull();
    await deploy.setReverse(deployer, { registry, resolver: plain, address: BOB_ADDRESS, name: BOB });
    await deploy.setReverse(deployer, { registry, resolver: plain, address: ALICE_ADDRESS, name: BOB });
    await expect(client.primaryName(BOB_ADDRESS)).resolves.toBe(BOB);
    await expect(client.primaryName(ALICE_ADDRESS)).resolves.toBeNull();
  });
});

describe('EnsClient where somebody fails', () => {
  it('does not take a refused answer for "no record"', async () => {
    server.handler = ccipServer(STRANGER);
    await expect(client.resolveAddress(ALICE)).rejects.toEqual(unavailable);
  });

  it.each([500, 404])('does not take HTTP %i from the CCIP-read service for "no record"', async (status) => {
    server.handler = (_, response) => sendJson(response, { message: 'no' }, status);
    await expect(client.text(ALICE, PROFILE)).rejects.toEqual(unavailable);
  });

  it('does not wait for a CCIP-read service for ever, and asks the next one', async () => {
    const impatient = new EnsClient({ ...settings(), timeoutMs: 1_200 });
    server.handler = () => {};
    await expect(impatient.resolveAddress(ALICE)).rejects.toEqual(unavailable);
    const answering = await startHttpServer(ccipServer(TRUSTED));
    await deploy.setUrls(deployer, { resolver: offchain, urls: [server.url, answering.url] });
    await expect(impatient.resolveAddress(ALICE)).resolves.toBe(ALICE_ADDRESS);
    await answering.stop();
    impatient.close();
  });

  it('does not ask a CCIP-read service on a private network', async () => {
    let asked = false;
    server.handler = () => (asked = true);
    const careful = new EnsClient({ ...settings(), allowPrivateFetch: false });
    await expect(careful.resolveAddress(ALICE)).rejects.toEqual(unavailable);
    expect(asked).toBe(false);
    careful.close();
  });

  it('says so where there is no registry at all', async () => {
    const lost = new EnsClient({ ...settings(), registry: BOB_ADDRESS });
    await expect(lost.resolveAddress(BOB)).rejects.toThrow(NamingUnavailableError);
    lost.close();
  });
});

describe('names served by this gateway, for other software', () => {
  it('resolve with ethers 6', async () => {
    const network = new Network('local', chain.chainId).attachPlugin(new EnsPlugin(registry, chain.chainId));
    const provider = new JsonRpcProvider(chain.rpcUrl, network, { staticNetwork: network });
    for (const [name, address, profile] of [
      [ALICE, ALICE_ADDRESS, 'profile of alice'],
      [BOB, BOB_ADDRESS, 'profile of bob'],
    ] as const) {
      const resolver = await provider.getResolver(name);
      expect(parseEthAddress((await resolver!.getAddress())!)).toBe(address);
      await expect(resolver!.getText(PROFILE)).resolves.toBe(profile);
    }
    provider.destroy();
  });

  it('resolve with ethers 5, which dm3 clients run', async () => {
    const network = { name: 'local', chainId: chain.chainId, ensAddress: registry };
    const provider = new ethers5.StaticJsonRpcProvider(chain.rpcUrl, network);
    for (const [name, address, profile] of [
      [ALICE, ALICE_ADDRESS, 'profile of alice'],
      [BOB, BOB_ADDRESS, 'profile of bob'],
    ] as const) {
      const resolver = await provider.getResolver(name);
      expect(parseEthAddress((await resolver!.getAddress())!)).toBe(address);
      await expect(resolver!.getText(PROFILE)).resolves.toBe(profile);
    }
  });
});
