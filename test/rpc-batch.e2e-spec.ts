import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DIALECTS, RealClient } from './support/dm3-lib.js';
import { ask, type HttpAnswer } from './support/http-answer.js';
import { TestGateway } from './support/test-gateway.js';

let gateway: TestGateway;
let alice: RealClient;
let bob: RealClient;
beforeAll(async () => {
  gateway = await TestGateway.create();
  alice = await RealClient.create(gateway, gateway.alice);
  bob = await RealClient.create(gateway, gateway.bob);
});
afterAll(() => gateway.stop());

const call = (body: unknown): Promise<HttpAnswer> => ask(`${gateway.deliveryServiceUrl}/rpc`, { body });
const properties = (id?: unknown) => ({ jsonrpc: '2.0', method: 'dm3_getDeliveryServiceProperties', params: [], id });
const submit = (params: unknown, id?: unknown) => ({ jsonrpc: '2.0', method: 'dm3_submitMessage', params, id });
const ok = (id: unknown, result: unknown = 'OK') => ({ jsonrpc: '2.0', id, result });
const failed = (id: unknown, code: number) => ({ jsonrpc: '2.0', id, error: expect.objectContaining({ code }) });

describe('A batch', () => {
  it('is answered request by request, in its order, those without an id too', async () => {
    const answer = await call([properties(7), properties(), properties('last')]);
    const { text } = await call(properties(7));
    const { result } = JSON.parse(text) as { result: string };
    expect(answer).toMatchObject({ status: 200, json: [ok(7, result), ok(null, result), ok('last', result)] });
  });

  it('hands in envelopes of both dialects, with their params in every shape', async () => {
    const shapes: ((envelope: object) => unknown)[] = [
      (envelope) => [envelope],
      (envelope) => [JSON.stringify(envelope)],
      (envelope) => [JSON.stringify(envelope), 'an old token'],
      (envelope) => envelope,
      (envelope) => JSON.stringify(envelope),
    ];
    const requests: object[] = [];
    for (const dialect of DIALECTS) {
      for (const shape of shapes) {
        const message = await alice.compose({ to: 'bob.eth', text: `message ${requests.length}` });
        requests.push(submit(shape(await alice.seal(message, { dialect })), requests.length));
      }
    }
    expect(await call(requests)).toMatchObject({ status: 200, json: requests.map((_, id) => ok(id)) });
    const letters = (await bob.incoming()).map(({ message }) => message.message);
    expect(letters).toEqual(expect.arrayContaining(requests.map((_, id) => `message ${id}`)));
    expect(letters).toHaveLength(requests.length);
  });

  it('tells by its status of the first failure, and does the rest all the same', async () => {
    const message = await alice.compose({ to: 'bob.eth', text: 'in bad company' });
    const unknown = { jsonrpc: '2.0', method: 'dm3_noSuchMethod', id: 'u' };
    const nested = [properties(1)];
    const envelope = await alice.seal(message);
    const answer = await call([properties(1), unknown, nested, 7, submit(['{'], 2), submit([envelope], 3)]);
    const errors = [failed('u', -32601), failed(null, -32600), failed(null, -32600), failed(2, -32602)];
    expect(answer).toMatchObject({ status: 405, json: [expect.objectContaining({ id: 1 }), ...errors, ok(3)] });
    await bob.receive('in bad company');
  });

  it.each([
    ['empty', []],
    ['too long', Array.from({ length: 101 }, (_, id) => properties(id))],
  ])('is refused as a whole when it is %s', async (_, batch) => {
    expect(await call(batch)).toMatchObject({ status: 400, json: failed(null, -32600) });
  });

  it('of a hundred is taken', async () => {
    const answer = await call(Array.from({ length: 100 }, (_, id) => properties(id)));
    expect(answer.status).toBe(200);
    expect((answer.json as { id: number }[]).map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, id) => id));
  });
});
