import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AbiCoder, hashMessage, hexlify, id, Interface, recoverAddress } from 'ethers';
import { parseEthAddress } from '../../common/ids.js';
import { createNobleProvider } from '../../protocol/crypto/noble.js';
import { dnsEncode, namehash } from '../dns-name.js';
import { normaliseName } from '../ens-name.js';
import { CcipReadService } from './ccip-read.service.js';
import type { RecordSource } from './records.js';
import { answerDigest, AnswerSigner, type DigestForm } from './signer.js';

const ALICE = normaliseName('alice.gateway.eth');
const ADDRESS = parseEthAddress(`0x${'a1'.repeat(20)}`)!;
const RESOLVER = parseEthAddress(`0x${'5e'.repeat(20)}`)!;
const SECOND_RESOLVER = parseEthAddress(`0x${'5f'.repeat(20)}`)!;
const START_MS = 1_700_000_000_900;
const crypto = createNobleProvider();
const coder = AbiCoder.defaultAbiCoder();
const outer = new Interface(['function resolve(bytes name, bytes data)']);
const inner = new Interface([
  'function addr(bytes32)',
  'function addr(bytes32, uint256)',
  'function text(bytes32, string)',
  'function contenthash(bytes32)',
  'function pubkey(bytes32)',
  'function multicall(bytes[])',
]);

const find = jest.fn<RecordSource['find']>();
let nowMs: number;

beforeEach(() => {
  nowMs = START_MS;
  find
    .mockReset()
    .mockImplementation(async (name) =>
      name === ALICE ? { address: ADDRESS, texts: { url: 'https://a.example' } } : null,
    );
});

const signerOf = (form: DigestForm) => new AnswerSigner({ crypto, privateKey: new Uint8Array(32).fill(1), form });
const newService = (form: DigestForm = 'plain', sources: RecordSource[] = [{ find }]) =>
  new CcipReadService({
    sources,
    signer: signerOf(form),
    resolvers: [RESOLVER, SECOND_RESOLVER],
    clock: { now: () => nowMs },
    validitySeconds: 300,
  });

const call = (signature: string, args: unknown[] = [], node = namehash(ALICE)): string =>
  inner.encodeFunctionData(signature, [node, ...args]);
const resolveCall = (data: string, name: string = ALICE): string =>
  outer.encodeFunctionData('resolve', [dnsEncode(name), data]);
const request = (signature: string, args: unknown[] = [], name: string = ALICE): string =>
  resolveCall(call(signature, args, namehash(name)), name);
const multicall = (calls: string[]): string => inner.encodeFunctionData('multicall', [calls]);

const openAnswer = (data: string) =>
  coder.decode(['bytes', 'uint64', 'bytes'], data) as unknown as [string, bigint, string];

/** What the inner call returns, by the answer to a request. */
async function resultOf(data: string): Promise<string> {
  return openAnswer((await newService().answer(RESOLVER, data)).data)[0];
}

async function valueOf(type: string, data: string): Promise<unknown> {
  return coder.decode([type], await resultOf(data))[0];
}

const NOBODY = 'nobody.gateway.eth';
const ZERO = `0x${'0'.repeat(40)}`;

describe('the answers of CcipReadService', () => {
  it.each([
    ['the address', 'address', 'addr(bytes32)', [], ADDRESS],
    ['the address as a coin', 'bytes', 'addr(bytes32,uint256)', [60], ADDRESS],
    ['no address of other coins', 'bytes', 'addr(bytes32,uint256)', [0], '0x'],
    ['a text', 'string', 'text(bytes32,string)', ['url'], 'https://a.example'],
    ['an absent text', 'string', 'text(bytes32,string)', ['avatar'], ''],
    ['a text of an inherited key', 'string', 'text(bytes32,string)', ['constructor'], ''],
    ['no content hash', 'bytes', 'contenthash(bytes32)', [], '0x'],
  ])('hold %s', async (_, type, signature, args, expected) => {
    expect(String(await valueOf(type, request(signature, args))).toLowerCase()).toBe(expected);
  });

  it.each([
    ['address', 'addr(bytes32)', [], ZERO],
    ['bytes', 'addr(bytes32,uint256)', [60], '0x'],
    ['string', 'text(bytes32,string)', ['url'], ''],
  ])('hold an empty %s for a name nobody knows', async (type, signature, args, expected) => {
    await expect(valueOf(type, request(signature, args, NOBODY))).resolves.toBe(expected);
  });

  it('hold no data for a record type that is not served, as a contract without the function returns none', async () => {
    await expect(resultOf(request('pubkey(bytes32)'))).resolves.toBe('0x');
    await expect(resultOf(resolveCall('0x'))).resolves.toBe('0x');
  });

  it('hold the results of several calls in order, and none for what is not served', async () => {
    const calls = [
      call('text(bytes32,string)', ['url']),
      call('pubkey(bytes32)'),
      multicall([]),
      call('addr(bytes32)'),
    ];
    await expect(valueOf('bytes[]', resolveCall(multicall(calls)))).resolves.toEqual([
      coder.encode(['string'], ['https://a.example']),
      '0x',
      '0x',
      coder.encode(['address'], [ADDRESS]),
    ]);
    expect(find).toHaveBeenCalledTimes(1);
  });

  it.each(['plain', 'eip191'] as const)('are signed in the %s form, for five minutes', async (form) => {
    const data = request('addr(bytes32)');
    const sender = RESOLVER.toUpperCase().replace('0X', '0x');
    const [result, expires, signature] = openAnswer((await newService(form).answer(sender, data)).data);
    expect(expires).toBe(1_700_000_300n);
    const digest = answerDigest(crypto, { target: RESOLVER, expires: 1_700_000_300, request: data, result });
    const signed = form === 'plain' ? hexlify(digest) : hashMessage(digest);
    expect(parseEthAddress(recoverAddress(signed, signature))).toBe(signerOf(form).address);
  });

  it('come from the first source that knows the name', async () => {
    const unknowing: RecordSource = { find: async () => null };
    const { data } = await newService('plain', [unknowing, { find }]).answer(RESOLVER, request('addr(bytes32)'));
    expect(data).toContain(ADDRESS.slice(2));
  });
});

describe('an answer that was signed', () => {
  it('serves all who ask the same, until half of its time is over', async () => {
    const service = newService();
    const data = request('addr(bytes32)');
    const first = await service.answer(RESOLVER, data);
    nowMs += 149_000;
    expect(await service.answer(RESOLVER, data)).toEqual({ data: first.data, maxAgeSeconds: 75 });
    nowMs += 1_000;
    const second = await service.answer(RESOLVER, data);
    expect(openAnswer(second.data)[1]).toBe(1_700_000_450n);
    expect([first, second].map(({ maxAgeSeconds }) => maxAgeSeconds)).toEqual([150, 150]);
    expect(find).toHaveBeenCalledTimes(2);
  });

  it('serves no other question and no other resolver', async () => {
    const service = newService();
    const asked = [
      [RESOLVER, request('addr(bytes32)')],
      [RESOLVER, request('text(bytes32,string)', ['url'])],
      [SECOND_RESOLVER, request('addr(bytes32)')],
    ] as const;
    const answers = await Promise.all(asked.map(([sender, data]) => service.answer(sender, data)));
    expect(new Set(answers.map(({ data }) => data)).size).toBe(3);
  });

  it('is neither kept nor to be kept by others where nobody has the name yet', async () => {
    const service = newService();
    const data = request('addr(bytes32)', [], NOBODY);
    expect(await service.answer(RESOLVER, data)).toMatchObject({ maxAgeSeconds: 0 });
    find.mockResolvedValue({ address: ADDRESS, texts: {} });
    expect((await service.answer(RESOLVER, data)).data).toContain(ADDRESS.slice(2));
  });
});

describe('CcipReadService refuses', () => {
  it('to sign for another contract', async () => {
    const refused = newService().answer(ADDRESS, request('addr(bytes32)'));
    await expect(refused).rejects.toMatchObject({ code: 'CCIP_SENDER_REFUSED', kind: 'forbidden' });
  });

  const aboutNobody = call('addr(bytes32)', [], namehash(NOBODY));
  it.each([
    ['is not a resolve call', '0x12345678'],
    ['is empty', '0x'],
    ['is cut off', request('addr(bytes32)').slice(0, 200)],
    ['names one name and asks for the node of another', resolveCall(aboutNobody)],
    ['does so in one of several calls', resolveCall(multicall([call('addr(bytes32)'), aboutNobody]))],
    ['holds no DNS name', outer.encodeFunctionData('resolve', ['0x0561', call('addr(bytes32)')])],
    ['holds a cut inner call', resolveCall(`${id('addr(bytes32)').slice(0, 10)}00`)],
    [
      'asks for more than sixteen records',
      resolveCall(multicall(Array.from({ length: 17 }, () => call('addr(bytes32)')))),
    ],
    ['holds a cut list of calls', resolveCall(multicall([]).slice(0, 20))],
  ])('a request that %s', async (_, data) => {
    await expect(newService().answer(RESOLVER, data)).rejects.toMatchObject({
      code: 'CCIP_REQUEST_INVALID',
      kind: 'invalid-input',
    });
    expect(find).not.toHaveBeenCalled();
  });

  it('to sign anything if a source cannot know', async () => {
    find.mockRejectedValue(new Error('database down'));
    await expect(newService().answer(RESOLVER, request('addr(bytes32)'))).rejects.toThrow('database down');
  });
});
