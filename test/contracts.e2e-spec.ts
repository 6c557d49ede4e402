import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AbiCoder, ContractFactory, type BaseContract, type ContractTransactionResponse } from 'ethers';
import { parseEthAddress, type EnsName, type EthAddress } from '../src/common/ids.js';
import { AnswerSigner, type Answer } from '../src/naming/ccip-read/signer.js';
import { contractArtifact, type ContractName } from '../src/naming/contracts/artifacts.js';
import * as deploy from '../src/naming/contracts/deploy.js';
import { createNobleProvider } from '../src/protocol/crypto/noble.js';
import { openEnsClients } from './support/ens-clients.js';
import { sendJson, startHttpServer, type TestServer } from './support/http-server.js';
import { runOperator } from './support/program.js';
import { fundedDeployer } from './support/test-gateway.js';

const NAME = 'carol.gateway.eth' as EnsName;
const CAROL = address('ca');
const MALLORY = address('ba');
const crypto = createNobleProvider();
const [TRUSTED, STRANGER] = [1, 2].map((key) => newSigner(key)) as [AnswerSigner, AnswerSigner];

/** What the service that is asked makes of an honest answer before it sends it. */
type Dishonesty = (answer: Answer) => string;

let deployer: deploy.Deployer;
let resolver: EthAddress;
let server: TestServer;
let clients: ReturnType<typeof openEnsClients>;
let behave: Dishonesty;

beforeAll(async () => {
  deployer = await fundedDeployer();
  server = await startHttpServer((request, response) => answerTo(request, response));
  const registry = await deploy.deployRegistry(deployer);
  const urls = [`${server.url}/{sender}/{data}`];
  resolver = await deploy.deployOffchainResolver(deployer, { urls, signers: [TRUSTED.address] });
  await deploy.registerName(deployer, { registry, name: 'gateway.eth' as EnsName, resolver });
  const [rpcUrl, chainId] = [process.env['TEST_RPC_URL']!, Number(process.env['TEST_CHAIN_ID'])];
  clients = openEnsClients({ rpcUrl, chainId, registry });
});
beforeEach(() => {
  behave = (answer) => TRUSTED.sign(answer);
});
afterAll(async () => {
  clients.close();
  deployer.close();
  await server.stop();
});

function address(byte: string): EthAddress {
  return parseEthAddress(`0x${byte.repeat(20)}`)!;
}

function newSigner(key: number): AnswerSigner {
  return new AnswerSigner({ crypto, privateKey: new Uint8Array(32).fill(key), form: 'plain' });
}

const addressResult = (of: EthAddress) => AbiCoder.defaultAbiCoder().encode(['address'], [of]);

function answerTo({ url }: IncomingMessage, response: ServerResponse): void {
  const [, , request] = url!.split('/');
  const expires = Math.floor(Date.now() / 1_000) + 300;
  sendJson(response, { data: behave({ target: resolver, expires, request: request!, result: addressResult(CAROL) }) });
}

describe.each(['ethers 5', 'ethers 6'] as const)('what %s believes of a CCIP-read service', (client) => {
  const lookUp = async () => (await clients.readers[client].address(NAME))?.toLowerCase();

  it('is an answer by a trusted signer', async () => {
    expect(await lookUp()).toBe(CAROL);
  });

  it.each<[string, Dishonesty]>([
    ['that has expired', (answer) => TRUSTED.sign({ ...answer, expires: 1_700_000_000 })],
    ['by somebody else', (answer) => STRANGER.sign(answer)],
    ['to another contract', (answer) => TRUSTED.sign({ ...answer, target: MALLORY })],
    [
      'to the question for another name',
      (answer) => TRUSTED.sign({ ...answer, request: replaced(answer, 'carol', 'bobby') }),
    ],
    [
      'to the question for another record',
      (answer) => TRUSTED.sign({ ...answer, request: replaced(answer, ADDR, TEXT) }),
    ],
    ['that was changed', (answer) => TRUSTED.sign(answer).replace(CAROL.slice(2), MALLORY.slice(2))],
  ])('is no answer %s', async (_, dishonesty) => {
    behave = dishonesty;
    expect(await lookUp()).toBeUndefined();
  });

  it('is nothing any more once the signer was taken away', async () => {
    await deploy.setSigner(deployer, { resolver, signer: TRUSTED.address, trusted: false });
    expect(await lookUp()).toBeUndefined();
    await deploy.setSigner(deployer, { resolver, signer: TRUSTED.address, trusted: true });
    expect(await lookUp()).toBe(CAROL);
  });
});

/** Selectors of `addr(bytes32)` and `text(bytes32,string)`. */
const [ADDR, TEXT] = ['3b3b57de', '59d1d43c'];

/** The request with a piece of it exchanged, both given as text or as hex. */
function replaced({ request }: Answer, piece: string, by: string): string {
  const hexOf = (text: string) => (/^[0-9a-f]{8}$/.test(text) ? text : Buffer.from(text).toString('hex'));
  expect(request).toContain(hexOf(piece));
  return request.replace(hexOf(piece), hexOf(by));
}

describe('dm3-gateway contracts', () => {
  const deployed = async (command: string) => {
    const { code, stdout, stderr } = await runOperator(['contracts', ...command.split(' ')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const receipt = await (await deployer.signer.sendTransaction({ data: stdout.trim() })).wait();
    return receipt!.contractAddress as EthAddress;
  };

  it('prints what deploys a resolver for a service and its signers', async () => {
    const signers = `${TRUSTED.address} ${STRANGER.address}`;
    const at = await deployed(`resolver --url https://gateway.example/ --signer ${signers}`);
    const contract = deploy.contractAt('OffchainResolver', at, deployer.signer);
    expect([...(await contract.getFunction('urls')())]).toEqual(['https://gateway.example/ccip/{sender}/{data}.json']);
    const trusted = [TRUSTED.address, STRANGER.address, MALLORY].map((each) => contract.getFunction('signers')(each));
    expect(await Promise.all(trusted)).toEqual([true, true, false]);
    expect(parseEthAddress(await contract.getFunction('owner')())).toBe(deployer.address);
  });

  it('prints what deploys an alias registry for its owner', async () => {
    const contract = deploy.contractAt(
      'TopLevelAliasRegistry',
      await deployed(`alias-registry --owner ${CAROL}`),
      deployer.signer,
    );
    expect(parseEthAddress(await contract.getFunction('owner')())).toBe(CAROL);
  });

  it('refuses what is no address and what is no URL', async () => {
    for (const [args, complaint] of [
      [`resolver --url https://a.example --signer 0x12`, 'expected an Ethereum address'],
      [`resolver --url nowhere --signer ${CAROL}`, 'expected a URL'],
      ['alias-registry', "required option '--owner <address>' not specified"],
    ] as const) {
      const { code, stderr } = await runOperator(['contracts', ...args.split(' ')]);
      expect([code, stderr]).toEqual([1, expect.stringContaining(complaint)]);
    }
  });
});

describe('the gas in docs/contracts.md', () => {
  const URL_TEMPLATE = 'https://gateway.example.org/ccip/{sender}/{data}.json';

  async function create(name: ContractName, ...args: unknown[]) {
    const { abi, bytecode } = contractArtifact(name);
    const contract: BaseContract = await new ContractFactory(abi, bytecode, deployer.signer).deploy(...args);
    return { contract, gas: await gasOf(contract.deploymentTransaction()!) };
  }
  const send = async (contract: BaseContract, method: string, ...args: unknown[]) =>
    gasOf((await contract.getFunction(method)(...args)) as ContractTransactionResponse);
  const gasOf = async (sent: ContractTransactionResponse) => (await sent.wait())!.gasUsed;

  it('is what the contracts take', async () => {
    const offchain = await create('OffchainResolver', [URL_TEMPLATE], [address('11'), address('22')]);
    const aliases = await create('TopLevelAliasRegistry', deployer.address);
    const rows = {
      'deploy `OffchainResolver` with one URL and two signers': offchain.gas,
      '`setSigner`, a new one': await send(offchain.contract, 'setSigner', address('33'), true),
      '`setSigner`, taken away': await send(offchain.contract, 'setSigner', address('11'), false),
      '`setUrls`, one for another': await send(offchain.contract, 'setUrls', [URL_TEMPLATE.replace('org', 'com')]),
      'deploy `TopLevelAliasRegistry`': aliases.gas,
      '`setAlias`, a new one': await send(aliases.contract, 'setAlias', 'email', 'email.gateway.eth'),
      '`setAlias`, changed': await send(aliases.contract, 'setAlias', 'email', 'email.gatehouse.eth'),
      '`transferOwnership`': await send(aliases.contract, 'transferOwnership', address('44')),
    };
    const lines = Object.entries(rows).map(([what, gas]) => `| ${what} | ${thousands(gas)} |`);
    const page = readFileSync(new URL('../docs/contracts.md', import.meta.url), 'utf8').replaceAll(/ {2,}/g, ' ');
    expect(page.split('\n').filter((line) => / \d[\d,]*,000 \|$/.test(line))).toEqual(lines);
  });

  /** Rounded, since the bytes of an address that are zero cost less than others. */
  const thousands = (gas: bigint) => `${(Math.round(Number(gas) / 1_000) * 1_000).toLocaleString('en')}`;
});
