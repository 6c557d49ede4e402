import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { id, Interface } from 'ethers';
import { sendJson, startHttpServer, type TestServer } from '../../test/support/http-server.js';
import { ChainReader } from './chain-reader.js';

const CONTRACT = `0x${'11'.repeat(20)}`;
const ANSWER = `0x${'22'.repeat(32)}`;

let node: TestServer;
let spare: TestServer;
const readers: ChainReader[] = [];

beforeAll(async () => {
  [node, spare] = await Promise.all([startHttpServer(), startHttpServer(answering({ result: ANSWER }))]);
});

afterEach(() => readers.splice(0).forEach((reader) => reader.close()));

afterAll(() => Promise.all([node.stop(), spare.stop()]));

/** A node that answers every JSON-RPC request alike. */
function answering(outcome: object) {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const asked = JSON.parse(await text(request)) as { id: number };
    sendJson(response, { jsonrpc: '2.0', id: asked.id, ...outcome });
  };
  return (request: IncomingMessage, response: ServerResponse) => void answer(request, response);
}

function call(rpcUrls: string[], timeoutMs = 5_000) {
  const reader = new ChainReader({ rpcUrls, chainId: 1, timeoutMs, allowPrivateFetch: true });
  readers.push(reader);
  return reader.call(CONTRACT, '0x12345678');
}

const failed = (code: number, message: string, data?: string) => answering({ error: { code, message, data } });

describe('ChainReader', () => {
  it.each([
    ['with a reason', failed(3, 'execution reverted: no', '0x08c379a0')],
    ['without data', failed(3, 'execution reverted', '0x')],
    ['in the words of a node that sends no data', failed(-32000, 'VM execution error.')],
    ['by an invalid opcode', failed(-32000, 'invalid opcode: INVALID')],
  ])('says null for a call that the contract refused %s', async (_, handler) => {
    node.handler = handler;
    await expect(call([node.url, spare.url])).resolves.toBeNull();
  });

  it.each([
    ['is over its rate limit', failed(-32005, 'daily request count exceeded')],
    ['lacks the block', failed(-32000, 'header not found')],
    ['throttles', (_: IncomingMessage, response: ServerResponse) => sendJson(response, {}, 429)],
    ['is broken', (_: IncomingMessage, response: ServerResponse) => sendJson(response, {}, 500)],
    ['breaks off', (request: IncomingMessage) => request.destroy()],
  ])('asks the next endpoint if one %s, and never says null', async (_, handler) => {
    node.handler = handler;
    await expect(call([node.url, spare.url])).resolves.toBe(ANSWER);
    await expect(call([node.url])).rejects.toMatchObject({ code: 'NAMING_UNAVAILABLE', retryable: true });
  });

  it('asks the next endpoint if one does not answer in time', async () => {
    node.handler = () => {};
    await expect(call([node.url, spare.url], 300)).resolves.toBe(ANSWER);
    await expect(call([node.url], 300)).rejects.toMatchObject({ code: 'NAMING_UNAVAILABLE', retryable: true });
  });
});

describe('ChainReader following CCIP-read', () => {
  const lookups = new Interface(['error OffchainLookup(address, string[], bytes, bytes4, bytes)']);
  const CALLBACK = '0xca11bacc';
  const asking = (sender = CONTRACT) =>
    failed(
      3,
      'execution reverted',
      lookups.encodeErrorResult('OffchainLookup', [sender, [service.url], '0x', CALLBACK, '0x']),
    );
  let service: TestServer;

  beforeAll(async () => {
    service = await startHttpServer((_, response) => sendJson(response, { data: '0xabcd' }));
  });

  afterAll(() => service.stop());

  /** A node whose contract asks for a lookup first, and then does something else with the answer. */
  function then(after: TestServer['handler']): TestServer['handler'] {
    const before = asking();
    let calls = 0;
    return (request, response) => (calls++ === 0 ? before : after)(request, response);
  }

  it('hands the answer to the contract', async () => {
    node.handler = then(answering({ result: ANSWER }));
    await expect(call([node.url])).resolves.toBe(ANSWER);
  });

  it('follows a second lookup, but not one after the other for ever', async () => {
    node.handler = then(then(answering({ result: ANSWER })));
    await expect(call([node.url])).resolves.toBe(ANSWER);
    node.handler = asking();
    await expect(call([node.url])).rejects.toMatchObject({ code: 'NAMING_UNAVAILABLE' });
  });

  it('does not follow the lookup of another contract', async () => {
    node.handler = asking(`0x${'33'.repeat(20)}`);
    await expect(call([node.url])).rejects.toMatchObject({ message: expect.stringMatching(/another one/) });
  });

  it('takes a refused answer for no answer, whatever the contract says', async () => {
    for (const revertData of ['0x', '0x08c379a0']) {
      node.handler = then(failed(3, 'execution reverted', revertData));
      await expect(call([node.url])).rejects.toMatchObject({ message: expect.stringMatching(/refused the answer/) });
    }
  });

  it('says null where the resolver for DNS names found no record', async () => {
    node.handler = then(failed(3, 'execution reverted', id('CouldNotResolve(bytes)').slice(0, 10)));
    await expect(call([node.url])).resolves.toBeNull();
  });
});
