import { describe, expect, it, jest } from '@jest/globals';
import { FetchFailedError } from '../../naming/errors.js';
import type { Envelope } from '../../protocol/envelope/envelope.js';
import { DeliveryServiceClient, type PostJson } from './delivery-service-client.js';

const ENVELOPE: Envelope = { message: 'm', metadata: { deliveryInformation: 'd', signature: 's' } };
const URL = 'https://ds.test/dm3';

const rpcError = (code: number, message: string) => JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code, message } });

function answering(status: number, text: string) {
  const post = jest.fn<PostJson>().mockResolvedValue({ status, text });
  return { post, client: new DeliveryServiceClient(post) };
}

describe('submit', () => {
  it('asks as clients do', async () => {
    const { post, client } = answering(200, 'OK');
    await client.submit(URL, ENVELOPE);
    expect(post.mock.calls).toEqual([
      [`${URL}/rpc`, { jsonrpc: '2.0', id: 1, method: 'dm3_submitMessage', params: [JSON.stringify(ENVELOPE)] }],
    ]);
  });

  const accepted = { kind: 'accepted' };
  const otherDialect = { kind: 'other-dialect' };
  const refused = (status: number, reason: string) => ({ kind: 'refused', status, reason });
  const unavailable = (reason: string) => ({ kind: 'unavailable', reason });

  it.each([
    ['OK as plain text', 200, 'OK', accepted],
    ['a JSON-RPC result', 200, '{"jsonrpc":"2.0","id":1,"result":"OK"}', accepted],
    ['nothing', 204, '', accepted],
    ['a web page that answers everything', 200, '<html>', unavailable('what answers there is no delivery service')],
    ['a null error', 200, '{"result":"OK","error":null}', accepted],
    ['an error in a 200', 200, rpcError(-32001, 'unknown user'), refused(200, 'unknown user')],
    ['a bare error', 400, '{"error":"unknown user"}', refused(400, 'unknown user')],
    ['the other dialect, bare', 400, '{"error":"invalid schema"}', otherDialect],
    ['the other dialect in a 200', 200, rpcError(-32602, 'invalid schema'), otherDialect],
    ['an error page', 404, '<html>', refused(404, 'HTTP 404')],
    ['a redirect', 302, '', refused(302, 'HTTP 302')],
    ['a broken service', 500, '<html>', unavailable('HTTP 500')],
    ['a refusal with 500', 500, '{"error":"unknown user"}', unavailable('unknown user')],
    ['a busy service', 429, '', unavailable('HTTP 429')],
    ['a slow one', 408, '', unavailable('HTTP 408')],
    ['a code that passes', 200, rpcError(-32002, 'come back'), unavailable('come back')],
    ['another one', 400, rpcError(-32005, 'too many'), unavailable('too many')],
    ['an error without words', 400, rpcError(-32010, ''), refused(400, 'HTTP 400')],
  ])('understands %s', async (_, status, text, outcome) => {
    expect(await answering(status, text).client.submit(URL, ENVELOPE)).toEqual(outcome);
  });

  it('takes what cannot be reached for something that passes', async () => {
    const cause = new FetchFailedError({ reason: 'nobody answered' });
    const post = jest.fn<PostJson>().mockRejectedValueOnce(cause).mockRejectedValueOnce(new Error('bug'));
    const client = new DeliveryServiceClient(post);
    expect(await client.submit(URL, ENVELOPE)).toEqual({ ...unavailable(cause.message), cause });
    expect(await client.submit(URL, ENVELOPE)).toMatchObject(unavailable('it could not be reached'));
  });
});

describe('sizeLimit', () => {
  it.each([
    ['as text in a result', 200, JSON.stringify({ result: '{"messageTTL":0,"sizeLimit":5000}' }), 5_000],
    ['as an object', 200, JSON.stringify({ result: { messageTTL: 0, sizeLimit: 5_000 } }), 5_000],
    ['not at all, so that dm3’s own default counts', 200, JSON.stringify({ result: '{}' }), 100_000],
    ['with an error', 405, rpcError(-32601, 'no such method'), null],
    ['with a page', 200, '<html>', null],
  ])('is said %s', async (_, status, text, limit) => {
    expect(await answering(status, text).client.sizeLimit(URL)).toBe(limit);
  });

  it('is unknown where nobody answers', async () => {
    const post = jest.fn<PostJson>().mockRejectedValue(new Error('refused'));
    expect(await new DeliveryServiceClient(post).sizeLimit(URL)).toBeNull();
  });
});
