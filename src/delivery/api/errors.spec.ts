import { NotFoundException, type ArgumentsHost } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { GatewayError, type ErrorKind } from '../../common/errors.js';
import { silentLog } from '../../ops/event-log.js';
import { InvalidRpcRequestError } from '../../protocol/json-rpc/errors.js';
import { LoginFailedError } from '../errors.js';
import { RestErrorFilter, rpcFailure } from './errors.js';

class Refusal extends GatewayError {
  constructor(kind: ErrorKind, facts = {}) {
    super({ code: 'REFUSED', kind, message: 'It is refused.', facts });
  }
}

/** What the filter answers, and what it writes into the log. */
function restAnswer(thrown: unknown) {
  const log = { ...silentLog, error: jest.fn() };
  const reply = { status: jest.fn().mockReturnThis(), send: jest.fn() };
  const host = { switchToHttp: () => ({ getResponse: () => reply }) } as unknown as ArgumentsHost;
  new RestErrorFilter(log).catch(thrown, host);
  const [[status], [body]] = [reply.status.mock.calls[0]!, reply.send.mock.calls[0]!];
  return { status, body, logged: log.error.mock.calls };
}

const KINDS: [ErrorKind, number, number][] = [
  ['invalid-input', 400, -32602],
  ['not-found', 404, -32001],
  ['unauthorized', 401, -32003],
  ['forbidden', 403, -32003],
  ['unsupported', 400, -32004],
  ['too-large', 413, -32011],
  ['limit-exceeded', 429, -32005],
  ['spam', 403, -32010],
  ['unavailable', 503, -32002],
  ['internal', 500, -32603],
];

describe('errors as answers', () => {
  it.each(KINDS)('%s is HTTP %d and JSON-RPC %d', (kind, status, code) => {
    const error = new Refusal(kind, { limitBytes: 5 });
    expect(rpcFailure(error, 7)).toEqual({
      status,
      body: {
        jsonrpc: '2.0',
        id: 7,
        error: { code, message: 'It is refused.', data: { code: 'REFUSED', limitBytes: 5 } },
      },
    });
    const rest = restAnswer(error);
    expect(rest).toMatchObject({
      status,
      body: { error: 'It is refused.', message: 'It is refused.', code: 'REFUSED' },
    });
    expect(rest.logged).toHaveLength(status >= 500 ? 1 : 0);
  });

  it('have the words of JSON-RPC and of the reference service where those have their own', () => {
    expect(rpcFailure(new InvalidRpcRequestError({ reason: 'x' }), null)).toMatchObject({
      status: 400,
      body: { id: null, error: { code: -32600 } },
    });
    const unknown = new GatewayError({ code: 'METHOD_UNKNOWN', kind: 'unsupported', message: 'No.' });
    expect(rpcFailure(unknown, 1)).toMatchObject({ status: 405, body: { error: { code: -32601 } } });
    expect(restAnswer(new LoginFailedError({ reason: 'Signature invalid' }))).toMatchObject({
      body: { error: 'Signature invalid' },
      logged: [],
    });
    expect(restAnswer(new NotFoundException('No such page.'))).toMatchObject({
      status: 404,
      body: { error: 'No such page.' },
    });
  });

  it('say nothing of what nobody foresaw, but to the log', () => {
    const bug = new TypeError('Cannot read bob.eth');
    const rest = restAnswer(bug);
    expect(rest.logged).toEqual([['http.failed', { code: 'UNEXPECTED', status: 500 }, bug]]);
    for (const answer of [rpcFailure(bug, 1), { status: rest.status, body: rest.body }]) {
      expect(answer.status).toBe(500);
      expect(JSON.stringify(answer.body)).toContain('Something went wrong on our side');
      expect(JSON.stringify(answer.body)).not.toContain('bob.eth');
    }
  });
});
