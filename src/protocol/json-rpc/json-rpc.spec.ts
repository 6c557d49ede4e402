import { describe, expect, it } from '@jest/globals';
import { InvalidRpcRequestError } from './errors.js';
import {
  batchOf,
  errorOf,
  parseRpcRequest,
  resultOf,
  RPC_ERROR,
  rpcError,
  rpcIdOf,
  rpcRequest,
  rpcResult,
} from './json-rpc.js';

describe('parseRpcRequest', () => {
  it.each([
    [
      { jsonrpc: '2.0', method: 'm', params: ['a', 'token'], id: 7 },
      { method: 'm', params: ['a', 'token'], id: 7 },
    ],
    [
      { method: 'm', params: ['a'] },
      { method: 'm', params: ['a'], id: null },
    ],
    [
      { method: 'm', params: { a: 1 }, id: 'x' },
      { method: 'm', params: [{ a: 1 }], id: 'x' },
    ],
    [
      { method: 'm', params: 'a', id: null },
      { method: 'm', params: ['a'], id: null },
    ],
    [{ method: 'm' }, { method: 'm', params: [], id: null }],
    ['{"method":"m","params":[]}', { method: 'm', params: [], id: null }],
  ])('reads %j', (body, request) => {
    expect(parseRpcRequest(body)).toEqual(request);
  });

  it.each([
    ['text', 'it is not JSON'],
    [null, 'expected object'],
    [[], 'expected object'],
    [{}, 'method'],
    [{ method: '' }, 'method'],
    [{ method: 1 }, 'method'],
    [{ method: 'm', id: {} }, 'id'],
  ])('refuses %j', (body, reason) => {
    expect(() => parseRpcRequest(body)).toThrow(InvalidRpcRequestError);
    expect(() => parseRpcRequest(body)).toThrow(reason);
  });
});

describe('batchOf', () => {
  it('tells a batch from a request', () => {
    expect(batchOf([{ method: 'm' }, 1])).toEqual([{ method: 'm' }, 1]);
    expect(batchOf({ method: 'm' })).toBeNull();
    expect(() => batchOf([])).toThrow(InvalidRpcRequestError);
    expect(batchOf(Array(100).fill(1))).toHaveLength(100);
    expect(() => batchOf(Array(101).fill(1))).toThrow('more than 100');
  });
});

describe('rpcIdOf', () => {
  it('finds the id in what is no request otherwise', () => {
    expect([{ id: 3 }, { id: 'a', method: 1 }, { id: {} }, {}, null, 'text'].map(rpcIdOf)).toEqual([
      3,
      'a',
      null,
      null,
      null,
      null,
    ]);
  });
});

describe('what is sent', () => {
  it('has the shapes of JSON-RPC 2.0', () => {
    expect(rpcRequest('m', ['a'])).toEqual({ jsonrpc: '2.0', method: 'm', params: ['a'] });
    expect(rpcRequest('m', [], 1)).toEqual({ jsonrpc: '2.0', method: 'm', params: [], id: 1 });
    expect(rpcResult(null, 'OK')).toEqual({ jsonrpc: '2.0', id: null, result: 'OK' });
    expect(rpcError(1, RPC_ERROR.spam, 'no')).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: { code: -32010, message: 'no' },
    });
    expect(rpcError(1, RPC_ERROR.tooBig, 'no', { limit: 5 }).error).toEqual({
      code: -32011,
      message: 'no',
      data: { limit: 5 },
    });
  });
});

describe('what comes back', () => {
  it.each([
    [rpcError(1, -32010, 'spam'), { code: -32010, message: 'spam' }],
    ['{"error":{"code":-32011,"message":"too big","data":5}}', { code: -32011, message: 'too big', data: 5 }],
    [{ error: 'invalid schema' }, { code: null, message: 'invalid schema' }],
    [{ error: { status: 400 } }, { code: null, message: 'The error has no message.' }],
    ['OK', null],
    ['', null],
    [null, null],
    [rpcResult(1, 'OK'), null],
    [{ error: null, result: 1 }, null],
  ])('%j holds the error %j', (body, error) => {
    expect(errorOf(body)).toEqual(error);
  });

  it('holds the result', () => {
    expect(resultOf('{"jsonrpc":"2.0","result":"{}"}')).toBe('{}');
    expect(resultOf('OK')).toBeUndefined();
  });
});
