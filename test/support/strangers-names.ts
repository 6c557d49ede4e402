import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  AbiCoder,
  Contract,
  ContractFactory,
  getBytes,
  Interface,
  keccak256,
  toUtf8String,
  Wallet,
  ZeroAddress,
  type InterfaceAbi,
} from 'ethers';
import { parseEthAddress, type EnsName, type EthAddress } from '../../src/common/ids.js';
import { registerName, type Deployer } from '../../src/naming/contracts/deploy.js';
import { dataRecord, USER_PROFILE_RECORD } from '../../src/protocol/profile/record.js';
import type { Person } from '../../src/sandbox/people.js';
import { sendJson, startHttpServer, type TestServer } from './http-server.js';

const artifact = JSON.parse(
  readFileSync(new URL('./contracts/artifacts/StrangersResolver.json', import.meta.url), 'utf8'),
) as { abi: InterfaceAbi; bytecode: string };

const abi = AbiCoder.defaultAbiCoder();
const records = new Interface([
  'function addr(bytes32 node) view returns (address)',
  'function text(bytes32 node, string key) view returns (string)',
]);

/** Something a server does instead of answering. */
type Mischief = (response: ServerResponse) => unknown;

/**
 * Names of somebody who knows nothing of us: his own resolver contract, and a server of his own behind it. It is
 * written with ethers and shares no code with the product's reading or serving of names.
 */
export class StrangersNames {
  /** What the server does instead of answering. */
  mischief: Mischief | null = null;
  /** Who signs. Only the first wallet's answers count with the contract. */
  signer: Wallet;
  readonly #people = new Map<string, Person>();

  private constructor(
    private readonly server: TestServer,
    private readonly resolver: Contract,
    private readonly address: EthAddress,
    wallet: Wallet,
  ) {
    this.signer = wallet;
  }

  /** @param name everything below it is asked for at the server */
  static async open(deployer: Deployer, registry: EthAddress, name: string): Promise<StrangersNames> {
    const wallet = new Wallet(Wallet.createRandom().privateKey);
    const deployed = await new ContractFactory(artifact.abi, artifact.bytecode, deployer.signer).deploy(wallet.address);
    await deployed.waitForDeployment();
    const resolver = parseEthAddress(await deployed.getAddress())!;
    await registerName(deployer, { registry, name: name as EnsName, resolver });
    const server = await startHttpServer();
    const contract = new Contract(resolver, artifact.abi, deployer.signer);
    const names = new StrangersNames(server, contract, resolver, wallet);
    server.handler = (request, response) => void names.#handle(request, response);
    await names.serveAt(names.url);
    return names;
  }

  /** Asked by GET, and by nothing else. */
  get url(): string {
    return `${this.server.url}/lookup/{sender}/{data}`;
  }

  publish(person: Person): void {
    this.#people.set(person.name, person);
  }

  /** From now on the contract sends people to these services. */
  async serveAt(...urls: string[]): Promise<void> {
    await (await this.resolver.getFunction('setServices')(urls)).wait();
  }

  /** How often the contract asks again before it is content. */
  async takeDetours(count: number): Promise<void> {
    await (await this.resolver.getFunction('setDetours')(count)).wait();
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    if (this.mischief) return this.mischief(response);
    const [, sender, question] = /^\/lookup\/(0x[0-9a-f]{40})\/(0x[0-9a-f]+)$/.exec(request.url!) ?? [];
    if (request.method !== 'GET' || sender !== this.address) return sendJson(response, { message: 'what?' }, 400);
    return sendJson(response, { data: await this.#signed(question!) });
  }

  async #signed(question: string): Promise<string> {
    const result = this.#answer(question);
    const digest = keccak256(abi.encode(['address', 'bytes', 'bytes'], [this.address, question, result]));
    return abi.encode(['bytes', 'bytes'], [await this.signer.signMessage(getBytes(digest)), result]);
  }

  #answer(question: string): string {
    const [name, call] = abi.decode(['bytes', 'bytes'], question) as unknown as [string, string];
    const person = this.#people.get(dottedName(getBytes(name)));
    const asked = records.parseTransaction({ data: call })!;
    if (asked.name === 'addr') return records.encodeFunctionResult('addr', [person?.address ?? ZeroAddress]);
    const isProfile = asked.args[1] === USER_PROFILE_RECORD;
    return records.encodeFunctionResult('text', [person && isProfile ? dataRecord(person.profile) : '']);
  }
}

function dottedName(bytes: Uint8Array): string {
  const length = bytes[0]!;
  if (length === 0) return '';
  const rest = dottedName(bytes.subarray(1 + length));
  const label = toUtf8String(bytes.subarray(1, 1 + length));
  return rest === '' ? label : `${label}.${rest}`;
}
