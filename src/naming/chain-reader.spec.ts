import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { id, Interface } from 'ethers';
import { failing, FakeNode, TROUBLES, type RpcOutcome } from '../../test/support/fake-node.js';
import { sendJson, startHttpServer, type TestServer } from '../../test/support/http-server.js';
import { ChainReader } from './chain-reader.js';
import { RpcEndpoints } from './rpc/rpc-endpoints.js';

const CONTRACT = `0x${'11'.repeat(20)}`;
const ANSWER = `0x${'22'.repeat(32)}`;
const UNAVAILABLE = { code: 'NAMING_UNAVAILABLE', retryable: true };

let node: FakeNode;
let spare: FakeNode;
const readers: ChainReader[] = [];

beforeEach(async () => {
  [node, spare] = await Promise.all([FakeNode.start(), FakeNode.start()]);
  spare.answer = () => ({ result: ANSWER });
});

afterEach(async () => {
  readers.splice(0).forEach((reader) => reader.close());
  await Promise.all([node.stop(), spare.stop()]);
});

function call(rpcUrls: string[], timeoutMs = 5_000) {
  const reader = new ChainReader({ rpcUrls, chainId: 1, timeoutMs, allowPrivateFetch: true });
  readers.push(reader);
  return reader.call(CONTRACT, '0x12345678');
}

describe('ChainReader', () => {
  it.each([
    ['with a reason', failing(3, 'execution reverted: no', '0x08c379a0')],
    ['without data', failing(3, 'execution reverted', '0x')],
    ['in the words of a node that sends no data', failing(-32000, 'VM execution error.')],
    ['by an invalid opcode', failing(-32000, 'invalid opcode: INVALID')],
  ])('says null for a call that the contract refused %s', async (_, answer) => {
    node.answer = answer;
    await expect(call([node.url, spare.url])).resolves.toBeNull();
  });

  it.each([
    ['is over its rate limit', failing(-32005, 'daily request count exceeded')],
    ['lacks the block', failing(-32000, 'header not found')],
  ])('asks the next endpoint if one %s, and never says null', async (_, answer) => {
    node.answer = answer;
    await expect(call([node.url, spare.url])).resolves.toBe(ANSWER);
    await expect(call([node.url])).rejects.toMatchObject(UNAVAILABLE);
  });

  it.each(TROUBLES)('asks the next endpoint if one %s, and never says null', async (_, trouble) => {
    node.trouble = trouble;
    await expect(call([node.url, spare.url])).resolves.toBe(ANSWER);
    await expect(call([node.url])).rejects.toMatchObject(UNAVAILABLE);
  });

  it('asks the next endpoint if one does not answer in time', async () => {
    node.trouble = () => {};
    await expect(call([node.url, spare.url], 300)).resolves.toBe(ANSWER);
    await expect(call([node.url], 300)).rejects.toMatchObject(UNAVAILABLE);
  });

  it('learns from what other readers met, and leaves to their owner the endpoints it shares', async () => {
    node.trouble = (_, response) => void response.writeHead(503).end();
    const settings = { rpcUrls: [node.url, spare.url], chainId: 1, timeoutMs: 2_000, allowPrivateFetch: true };
    const endpoints = new RpcEndpoints(settings);
    const [one, other] = [new ChainReader({ ...settings, endpoints }), new ChainReader({ ...settings, endpoints })];
    await one.call(CONTRACT, '0x');
    one.close();
    const asked = node.asked.length;
    await expect(other.call(CONTRACT, '0x')).resolves.toBe(ANSWER);
    expect(node.asked).toHaveLength(asked);
    endpoints.close();
  });
});

describe('ChainReader following CCIP-read', () => {
  const lookups = new Interface(['error OffchainLookup(address, string[], bytes, bytes4, bytes)']);
  const CALLBACK = '0xca11bacc';
  const asking = (sender = CONTRACT) =>
    failing(
      3,
      'execution reverted',
      lookups.encodeErrorResult('OffchainLookup', [sender, [service.url], '0x', CALLBACK, '0x']),
    );
  const answering = () => ({ result: ANSWER });
  let service: TestServer;

  beforeAll(async () => {
    service = await startHttpServer();
  });

  beforeEach(() => {
    service.handler = (_, response) => sendJson(response, { data: '0xabcd' });
  });

  afterAll(() => service.stop());

  /** A contract that asks for a lookup first, and then does something else with the answer. */
  function then(after: () => RpcOutcome): () => RpcOutcome {
    const before = asking();
    let calls = 0;
    return () => (calls++ === 0 ? before : after)();
  }

  it('hands the answer to the contract', async () => {
    node.answer = then(answering);
    await expect(call([node.url])).resolves.toBe(ANSWER);
  });

  it('follows a second lookup, but not one after the other for ever', async () => {
    node.answer = then(then(answering));
    await expect(call([node.url])).resolves.toBe(ANSWER);
    node.answer = asking();
    await expect(call([node.url])).rejects.toMatchObject(UNAVAILABLE);
    expect(node.calls).toBe(3 + 5);
  });

  it('does not follow the lookup of another contract', async () => {
    node.answer = asking(`0x${'33'.repeat(20)}`);
    await expect(call([node.url])).rejects.toMatchObject({ message: expect.stringMatching(/another one/) });
  });

  it('takes a refused answer for no answer, whatever the contract says', async () => {
    for (const revertData of ['0x', '0x08c379a0']) {
      node.answer = then(failing(3, 'execution reverted', revertData));
      await expect(call([node.url])).rejects.toMatchObject({ message: expect.stringMatching(/refused the answer/) });
    }
  });

  it('says null where the resolver for DNS names found no record', async () => {
    node.answer = then(failing(3, 'execution reverted', id('CouldNotResolve(bytes)').slice(0, 10)));
    await expect(call([node.url])).resolves.toBeNull();
  });

  it('asks the next endpoint where one fails between the lookup and its answer', async () => {
    node.answer = then(failing(-32005, 'daily request count exceeded'));
    await expect(call([node.url, spare.url])).resolves.toBe(ANSWER);
  });

  it('does not blame the node, nor wait longer than it may, where the service is slow', async () => {
    service.handler = () => {};
    node.answer = asking();
    const settings = { rpcUrls: [node.url], chainId: 1, timeoutMs: 300, allowPrivateFetch: true };
    const endpoints = new RpcEndpoints(settings);
    const reading = new ChainReader({ ...settings, endpoints }).call(CONTRACT, '0x');
    await expect(reading).rejects.toMatchObject({ ...UNAVAILABLE, message: expect.stringMatching(/no CCIP-read/) });
    expect(endpoints.health()).toMatchObject([{ state: 'usable', code: null }]);
    endpoints.close();
  });
});
