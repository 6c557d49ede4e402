import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AbiCoder, getAddress, Interface } from 'ethers';
import { sendJson, startHttpServer, type TestServer } from '../../test/support/http-server.js';
import { callbackOf, fetchAnswer, parseOffchainLookup, type LookupRules } from './offchain-lookup.js';
import type { HostLookup } from './safe-fetch.js';

const SENDER = getAddress(`0x${'ab'.repeat(20)}`);
const UNAVAILABLE = { code: 'NAMING_UNAVAILABLE', kind: 'unavailable', retryable: true };
const LOOPBACK = { address: '127.0.0.1', family: 4 };

let first: TestServer;
let second: TestServer;

beforeEach(async () => {
  first = await startHttpServer();
  second = await startHttpServer((_, response) => sendJson(response, { data: '0xabcd' }));
});

afterEach(() => Promise.all([first.stop(), second.stop()]));

function fetchFrom(urls: readonly string[], rules: Partial<LookupRules> = {}) {
  const lookup = { sender: SENDER, urls, callData: '0x1234', callbackFunction: '0x00000000', extraData: '0x' };
  return fetchAnswer(lookup, { allowPrivate: true, deadline: performance.now() + 2_000, ...rules });
}

describe('an OffchainLookup', () => {
  const abi = new Interface(['error OffchainLookup(address, string[], bytes, bytes4, bytes)']);

  it('is read from revert data, and from nothing else', () => {
    const revert = abi.encodeErrorResult('OffchainLookup', [SENDER, ['https://a'], '0x01', '0xcafecafe', '0x02']);
    expect(parseOffchainLookup(revert)).toMatchObject({
      urls: ['https://a'],
      callData: '0x01',
      callbackFunction: '0xcafecafe',
      extraData: '0x02',
    });
    for (const other of ['0x', '0x08c379a0', revert.slice(0, -64), revert.slice(0, 10)]) {
      expect(parseOffchainLookup(other)).toBeNull();
    }
  });

  it('gets its answer and its own extra data back', () => {
    const lookup = { sender: SENDER, urls: [], callData: '0x', callbackFunction: '0xcafecafe', extraData: '0x02' };
    const args = AbiCoder.defaultAbiCoder().encode(['bytes', 'bytes'], ['0xabcd', '0x02']);
    expect(callbackOf(lookup, '0xabcd')).toBe(`0xcafecafe${args.slice(2)}`);
  });
});

describe('fetchAnswer', () => {
  it('asks by GET where the URL has a place for the data', async () => {
    const asked = jest.fn();
    first.handler = (request, response) => {
      asked(request.method, request.url);
      sendJson(response, { data: '0x' });
    };
    await expect(fetchFrom([`${first.url}/{sender}/{data}.json`])).resolves.toBe('0x');
    expect(asked).toHaveBeenCalledWith('GET', `/${SENDER.toLowerCase()}/0x1234.json`);
  });

  it('asks by POST where it has none', async () => {
    const asked = jest.fn();
    first.handler = (request, response) =>
      void text(request).then((body) => {
        asked(request.method, request.url, JSON.parse(body));
        sendJson(response, { data: '0x' });
      });
    await expect(fetchFrom([`${first.url}/{sender}`])).resolves.toBe('0x');
    const sender = SENDER.toLowerCase();
    expect(asked).toHaveBeenCalledWith('POST', `/${sender}`, { sender, data: '0x1234' });
  });

  it.each([
    ['is broken', (_: unknown, response) => sendJson(response, { message: 'no' }, 503)],
    ['breaks off', (request) => void request.socket.destroy()],
    ['sends a web page', (_, response) => void response.end('<html>')],
    ['sends JSON of another kind', (_, response) => sendJson(response, ['0xabcd'])],
    ['sends nothing', (_, response) => sendJson(response, null)],
    ['sends data that are no bytes', (_, response) => sendJson(response, { data: '0xabc' })],
    ['sends without end', (_, response) => void response.write(Buffer.alloc(1024 * 1024 + 1))],
    ['redirects in a circle', (_, response) => void response.writeHead(302, { location: '/' }).end()],
    ['hangs', () => {}],
  ] as [string, TestServer['handler']][])('asks the next service if one %s', async (_, handler) => {
    first.handler = handler;
    await expect(fetchFrom([first.url, second.url])).resolves.toBe('0xabcd');
    const alone = fetchFrom([first.url], { deadline: performance.now() + 300 });
    await expect(alone).rejects.toMatchObject(UNAVAILABLE);
  });

  it.each([400, 404, 429])('stops at HTTP %i, as ERC-3668 says, without taking it for "no record"', async (status) => {
    const asked = jest.fn();
    first.handler = (_, response) => sendJson(response, { message: 'no' }, status);
    second.handler = asked;
    await expect(fetchFrom([first.url, second.url])).rejects.toMatchObject(UNAVAILABLE);
    expect(asked).not.toHaveBeenCalled();
  });

  it('reads proofs that are much longer than a record', async () => {
    const data = `0x${'ab'.repeat(400_000)}`;
    first.handler = (_, response) => sendJson(response, { data });
    await expect(fetchFrom([first.url])).resolves.toBe(data);
  });

  it('goes to five services at most, whatever the contract wants', async () => {
    const asked = jest.fn();
    first.handler = (_, response) => {
      asked();
      sendJson(response, {}, 500);
    };
    await expect(fetchFrom(Array.from({ length: 100 }, () => first.url))).rejects.toMatchObject(UNAVAILABLE);
    expect(asked).toHaveBeenCalledTimes(5);
  });

  it.each(['ftp://example.com/{data}', 'data:application/json,{"data":"0x00"}', 'not a URL'])(
    'does not go to %s',
    async (url) => {
      await expect(fetchFrom([url])).rejects.toMatchObject(UNAVAILABLE);
      await expect(fetchFrom([url, second.url])).resolves.toBe('0xabcd');
    },
  );

  it('does not go into a private network, nor follow anybody there', async () => {
    const asked = jest.fn();
    second.handler = asked;
    await expect(fetchFrom([second.url], { allowPrivate: false })).rejects.toMatchObject(UNAVAILABLE);
    first.handler = (_, response) =>
      void response.writeHead(307, { location: `http://inside.test:${second.port}` }).end();
    const lookup: HostLookup = (host) =>
      Promise.resolve([host === 'outside.test' ? LOOPBACK : { ...LOOPBACK, address: '127.0.0.2' }]);
    const isPublic = (address: string) => address === LOOPBACK.address;
    const outside = fetchFrom([`http://outside.test:${first.port}`], { allowPrivate: false, lookup, isPublic });
    await expect(outside).rejects.toMatchObject(UNAVAILABLE);
    expect(asked).not.toHaveBeenCalled();
  });

  it('has nobody to ask where there is no URL, and no time where it is over', async () => {
    await expect(fetchFrom([])).rejects.toMatchObject(UNAVAILABLE);
    first.handler = () => {};
    await expect(fetchFrom([first.url], { deadline: 0 })).rejects.toMatchObject(UNAVAILABLE);
  });
});
