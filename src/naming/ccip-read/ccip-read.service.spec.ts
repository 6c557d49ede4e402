import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AbiCoder, getBytes, hashMessage, id, Interface, recoverAddress } from 'ethers';
import { parseEthAddress } from '../../common/ids.js';
import { dnsEncode, namehash } from '../dns-name.js';
import { normaliseName } from '../ens-name.js';
import { CcipReadService } from './ccip-read.service.js';
import type { RecordSource } from './records.js';
import { answerDigest, AnswerSigner, type DigestForm } from './signer.js';

const ALICE = normaliseName('alice.gateway.eth');
const ADDRESS = parseEthAddress(`0x${'a1'.repeat(20)}`)!;
const RESOLVER = parseEthAddress(`0x${'5e'.repeat(20)}`)!;
const NOW_MS = 1_700_000_000_900;
const coder = AbiCoder.defaultAbiCoder();
const outer = new Interface(['function resolve(bytes name, bytes data)']);
const inner = new Interface([
  'function addr(bytes32)',
  'function addr(bytes32, uint256)',
  'function text(bytes32, string)',
  'function contenthash(bytes32)',
  'function pubkey(bytes32)',
]);

const find = jest.fn<RecordSource['find']>();

beforeEach(() => {
  find
    .mockReset()
    .mockImplementation(async (name) =>
      name === ALICE ? { address: ADDRESS, texts: { url: 'https://a.example' } } : null,
    );
});

const signerOf = (form: DigestForm) => new AnswerSigner({ privateKeys: [id('first'), id('second')], form });
const newService = (form: DigestForm = 'plain', sources: RecordSource[] = [{ find }]) =>
  new CcipReadService({ sources, signer: signerOf(form), resolvers: [RESOLVER], clock: { now: () => NOW_MS } });

function request(signature: string, args: unknown[] = [], name: string = ALICE, node = namehash(name)): string {
  return outer.encodeFunctionData('resolve', [dnsEncode(name), inner.encodeFunctionData(signature, [node, ...args])]);
}

/** The result inside a signed answer, decoded as one value. */
async function resultOf(type: string, data: string): Promise<unknown> {
  const { data: answer } = await newService().answer(RESOLVER, data);
  return coder.decode([type], coder.decode(['bytes', 'uint64', 'bytes'], answer)[0])[0];
}

const NOBODY = 'nobody.gateway.eth';
const ZERO = `0x${'0'.repeat(40)}`;

describe('CcipReadService', () => {
  it.each([
    ['the address', 'address', 'addr(bytes32)', [], ADDRESS],
    ['the address as a coin', 'bytes', 'addr(bytes32,uint256)', [60], ADDRESS],
    ['no address of other coins', 'bytes', 'addr(bytes32,uint256)', [0], '0x'],
    ['a text', 'string', 'text(bytes32,string)', ['url'], 'https://a.example'],
    ['an absent text', 'string', 'text(bytes32,string)', ['email'], ''],
    ['a text of an inherited key', 'string', 'text(bytes32,string)', ['constructor'], ''],
    ['no content hash', 'bytes', 'contenthash(bytes32)', [], '0x'],
  ])('answers %s', async (_, type, signature, args, expected) => {
    const result = await resultOf(type, request(signature, args));
    expect(String(result).toLowerCase()).toBe(expected);
  });

  it.each([
    ['address', 'addr(bytes32)', [], ZERO],
    ['bytes', 'addr(bytes32,uint256)', [60], '0x'],
    ['string', 'text(bytes32,string)', ['url'], ''],
  ])('answers an empty %s for a name nobody knows', async (type, signature, args, expected) => {
    await expect(resultOf(type, request(signature, args, NOBODY))).resolves.toBe(expected);
  });

  it.each(['plain', 'eip191'] as const)('signs with its first key in the %s form, for five minutes', async (form) => {
    const data = request('addr(bytes32)');
    const { data: answer, maxAgeSeconds } = await newService(form).answer(
      RESOLVER.toUpperCase().replace('0X', '0x'),
      data,
    );
    const [result, expires, signature] = coder.decode(['bytes', 'uint64', 'bytes'], answer);
    expect(expires).toBe(1_700_000_300n);
    expect(maxAgeSeconds).toBe(150);
    const digest = answerDigest({ target: RESOLVER, expires: 1_700_000_300, request: data, result });
    const signed = form === 'plain' ? digest : hashMessage(getBytes(digest));
    expect(parseEthAddress(recoverAddress(signed, signature))).toBe(signerOf(form).addresses[0]);
  });

  it('asks its sources in order', async () => {
    const unknowing: RecordSource = { find: async () => null };
    const { data } = await newService('plain', [unknowing, { find }]).answer(RESOLVER, request('addr(bytes32)'));
    expect(data).toContain(ADDRESS.slice(2));
  });

  it('does not sign for another contract', async () => {
    const refused = newService().answer(ADDRESS, request('addr(bytes32)'));
    await expect(refused).rejects.toMatchObject({ code: 'CCIP_SENDER_REFUSED', kind: 'forbidden' });
  });

  it.each([
    ['is not a resolve call', '0x12345678'],
    ['is empty', '0x'],
    ['is cut off', request('addr(bytes32)').slice(0, 200)],
    ['names one name and asks for the node of another', request('addr(bytes32)', [], ALICE, namehash(NOBODY))],
    [
      'holds no DNS name',
      outer.encodeFunctionData('resolve', ['0x0561', inner.encodeFunctionData('addr(bytes32)', [id('x')])]),
    ],
    [
      'holds a cut inner call',
      outer.encodeFunctionData('resolve', [dnsEncode(ALICE), `${id('addr(bytes32)').slice(0, 10)}00`]),
    ],
  ])('refuses a request that %s', async (_, data) => {
    await expect(newService().answer(RESOLVER, data)).rejects.toMatchObject({
      code: 'CCIP_REQUEST_INVALID',
      kind: 'invalid-input',
    });
    expect(find).not.toHaveBeenCalled();
  });

  it('names a record type it does not serve', async () => {
    const unknown = newService().answer(RESOLVER, request('pubkey(bytes32)'));
    await expect(unknown).rejects.toMatchObject({ code: 'UNSUPPORTED_RECORD', kind: 'unsupported' });
  });

  it('signs nothing if a source cannot know', async () => {
    find.mockRejectedValue(new Error('database down'));
    await expect(newService().answer(RESOLVER, request('addr(bytes32)'))).rejects.toThrow('database down');
  });
});
