import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { failing, FakeNode, TROUBLES } from '../../../test/support/fake-node.js';
import type { EventLog } from '../../ops/event-log.js';
import { silentLog } from '../../ops/event-log.js';
import { RpcEndpoints } from './rpc-endpoints.js';

const TO = `0x${'11'.repeat(20)}`;
const RATE_LIMITED = failing(-32_005, 'daily request count exceeded');

let now: number;
let first: FakeNode;
let second: FakeNode;
let endpoints: RpcEndpoints;
const warn = jest.fn<EventLog['warn']>();
const info = jest.fn<EventLog['info']>();

beforeEach(async () => {
  now = 0;
  warn.mockReset();
  info.mockReset();
  [first, second] = await Promise.all([FakeNode.start(), FakeNode.start()]);
  first.answer = () => ({ result: '0x01' });
  second.answer = () => ({ result: '0x02' });
  endpoints = over([first.url, second.url]);
});

afterEach(async () => {
  endpoints.close();
  await Promise.all([first.stop(), second.stop()]);
});

function over(rpcUrls: string[], timeoutMs = 2_000): RpcEndpoints {
  const settings = { rpcUrls, chainId: 1, timeoutMs };
  return new RpcEndpoints(settings, { clock: { now: () => now }, log: { ...silentLog, warn, info } });
}

const call = (pool = endpoints) => pool.ask((provider) => provider.call({ to: TO, data: '0x' }));
const statesOf = (pool: RpcEndpoints) => pool.health().map(({ state }) => state);
const codesOf = (pool: RpcEndpoints) => pool.health().map(({ code }) => code);

describe('RpcEndpoints', () => {
  it('asks the preferred endpoint, whose chain it checks once', async () => {
    await expect(Promise.all([call(), call()])).resolves.toEqual(['0x01', '0x01']);
    await call();
    expect(first.asked).toEqual(['eth_chainId', 'eth_call', 'eth_call', 'eth_call']);
    expect(second.asked).toEqual([]);
  });

  it.each(TROUBLES)('asks the next one if one %s, and leaves that alone for a while', async (_, trouble, code) => {
    first.trouble = trouble;
    await expect(call()).resolves.toBe('0x02');
    const asked = first.asked.length;
    await call();
    expect(first.asked).toHaveLength(asked);
    expect(endpoints.health()).toEqual([
      { endpoint: first.label, state: 'resting', code, behindSeconds: null },
      { endpoint: second.label, state: 'usable', code: null, behindSeconds: null },
    ]);
  });

  it('asks the next one if one hangs', async () => {
    first.trouble = () => {};
    const impatient = over([first.url, second.url], 200);
    await expect(call(impatient)).resolves.toBe('0x02');
    expect(codesOf(impatient)).toEqual(['TIMEOUT', null]);
    impatient.close();
  });

  it('asks the next one if one is not there at all', async () => {
    await first.stop();
    await expect(call()).resolves.toBe('0x02');
    expect(codesOf(endpoints)).toEqual(['ECONNREFUSED', null]);
    first = await FakeNode.start();
  });

  it('goes back to the preferred one when its pause is over and it works again', async () => {
    first.answer = RATE_LIMITED;
    await expect(call()).resolves.toBe('0x02');
    expect(codesOf(endpoints)).toEqual(['RPC_-32005', null]);
    first.answer = () => ({ result: '0x01' });
    now = 999;
    await expect(call()).resolves.toBe('0x02');
    now = 1_000;
    await expect(call()).resolves.toBe('0x01');
    expect(statesOf(endpoints)).toEqual(['usable', 'usable']);
  });

  it('says once that an endpoint failed, and once that it is back', async () => {
    first.answer = RATE_LIMITED;
    await call();
    now = 1_000;
    await call();
    expect(warn.mock.calls).toEqual([['chain.endpoint-failed', { component: first.label, code: 'RPC_-32005' }]]);
    first.answer = () => ({ result: '0x' });
    now = 10_000;
    await call();
    expect(info.mock.calls).toEqual([['chain.endpoint-back', { component: first.label }]]);
  });

  it('does not blame an endpoint for a call that is too much for it', async () => {
    first.answer = failing(-32_000, 'execution aborted (timeout = 5s)');
    await expect(call()).resolves.toBe('0x02');
    expect(statesOf(endpoints)).toEqual(['usable', 'usable']);
  });

  it('never uses one of another chain, and says so', async () => {
    first.chainId = 11_155_111;
    await expect(call()).resolves.toBe('0x02');
    expect(first.calls).toBe(0);
    expect(codesOf(endpoints)).toEqual(['WRONG_CHAIN', null]);
    const alone = over([first.url]);
    await expect(call(alone)).rejects.toThrow(AggregateError);
    expect(first.calls).toBe(0);
    alone.close();
  });

  it('checks the chain again after a failure: there may be another node behind the URL', async () => {
    await call();
    first.answer = RATE_LIMITED;
    await call();
    first.answer = () => ({ result: '0x01' });
    first.chainId = 5;
    now = 1_000;
    await expect(call()).resolves.toBe('0x02');
    expect(codesOf(endpoints)).toEqual(['WRONG_CHAIN', null]);
  });
});

describe('RpcEndpoints while none works', () => {
  it('fails with every reason, and has an answer as soon as one has', async () => {
    first.answer = RATE_LIMITED;
    second.trouble = (_, response) => response.writeHead(502).end();
    const failed = await call().catch((error: AggregateError) => error.errors.map(({ code }) => code));
    expect(failed).toEqual(['RPC_-32005', 'HTTP_502']);
    expect(statesOf(endpoints)).toEqual(['resting', 'resting']);
    await expect(call()).rejects.toThrow(AggregateError);
    second.trouble = null;
    await expect(call()).resolves.toBe('0x02');
    expect(statesOf(endpoints)).toEqual(['resting', 'usable']);
  });

  it('asks those that rest when the last one fails', async () => {
    first.answer = RATE_LIMITED;
    await call();
    first.answer = () => ({ result: '0x01' });
    second.trouble = (request) => void request.socket.destroy();
    await expect(call()).resolves.toBe('0x01');
  });
});

describe('what RpcEndpoints sees when nobody asks', () => {
  it('is who is down, and on which chain they are', async () => {
    first.trouble = (request) => void request.socket.destroy();
    second.chainId = 10;
    await endpoints.look();
    expect(codesOf(endpoints)).toEqual(['UND_ERR_SOCKET', 'WRONG_CHAIN']);
  });

  it('is whose blocks are old: they come last, but are better than nothing', async () => {
    first.headTime = second.headTime - 61;
    await endpoints.look();
    expect(endpoints.health()).toMatchObject([
      { state: 'behind', behindSeconds: 61 },
      { state: 'usable', behindSeconds: 0 },
    ]);
    expect(warn.mock.calls).toEqual([['chain.endpoint-behind', { component: first.label }]]);
    await expect(call()).resolves.toBe('0x02');
    second.answer = RATE_LIMITED;
    await expect(call()).resolves.toBe('0x01');
  });

  it('is that one has caught up', async () => {
    first.headTime = second.headTime - 61;
    await endpoints.look();
    first.headTime = second.headTime - 60;
    await endpoints.look();
    expect(statesOf(endpoints)).toEqual(['usable', 'usable']);
    await expect(call()).resolves.toBe('0x01');
  });

  it('is nothing of those that rest', async () => {
    first.answer = RATE_LIMITED;
    await call();
    const asked = first.asked.length;
    await endpoints.look();
    expect(first.asked).toHaveLength(asked);
    now = 1_000;
    await endpoints.look();
    expect(statesOf(endpoints)).toEqual(['usable', 'usable']);
  });
});

describe('what an endpoint’s URL holds', () => {
  it('is used, and never shown', async () => {
    const secret = (node: FakeNode, key: string) =>
      `${node.url.replace('://', `://user-${key}:pass-${key}@`)}/v3/path-${key}?apikey=query-${key}`;
    const pool = over([secret(first, 'hunter2'), secret(first, 'hunter2'), secret(second, 'hunter2')]);
    await call(pool);
    const credentials = Buffer.from('user-hunter2:pass-hunter2').toString('base64');
    expect(first.headers.authorization).toBe(`Basic ${credentials}`);
    first.trouble = (_, response) => response.writeHead(401).end('no such key: hunter2');
    second.trouble = (request) => void request.socket.destroy();
    const error = (await call(pool).catch((failure: unknown) => failure)) as AggregateError;
    const shown = [error, ...error.errors].map(everythingOf).join();
    expect(shown).toContain('HTTP_401');
    expect(shown + JSON.stringify([pool.health(), warn.mock.calls])).not.toContain('hunter2');
    expect(pool.health().map(({ endpoint }) => endpoint)).toEqual([first.label, `${first.label}#2`, second.label]);
    pool.close();
  });
});

/** What any logger could find. */
function everythingOf(error: Error): string {
  const own = Object.getOwnPropertyNames(error).filter((name) => name !== 'errors');
  return JSON.stringify(error, own) + String(error.stack) + String(error.cause);
}
