import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sendJson, startHttpServer, type TestServer } from '../../../test/support/http-server.js';
import { HomeserverError } from './errors.js';
import { Homeserver, path } from './homeserver.js';

let server: TestServer;
let seen: string[];
beforeEach(async () => {
  server = await startHttpServer();
  seen = [];
});
afterEach(() => server.stop());

const connect = (patienceMs?: number) =>
  new Homeserver({ url: server.url, token: 'secret', timeoutMs: 5_000, patienceMs });
const failure = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: HomeserverError) => error,
  );
/** Answers one after the other; the last one for ever. */
const answer = (...answers: ((response: Parameters<TestServer['handler']>[1]) => void)[]) => {
  server.handler = (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    (answers.length > 1 ? answers.shift()! : answers[0]!)(response);
  };
};

describe('the client-server API', () => {
  it('is called as one of ours, with escaped ids', async () => {
    answer((response) => sendJson(response, { ok: true }));
    const where = path`/rooms/${'!a/b:c'}/send/${'$1?'}`;
    await expect(connect().call({ method: 'PUT', path: where, as: '@dm3_=f0:hs.test', json: {} })).resolves.toEqual({
      ok: true,
    });
    expect(seen).toEqual(['PUT /rooms/!a%2Fb%3Ac/send/%241%3F?user_id=%40dm3_%3Df0%3Ahs.test Bearer secret']);
  });

  it('is waited for as long as it asks', async () => {
    const busy = { errcode: 'M_LIMIT_EXCEEDED', error: 'Too fast', retry_after_ms: 60 };
    answer(
      (response) => sendJson(response, busy, 429),
      (response) => sendJson(response, busy, 429),
      (response) => sendJson(response, { ok: true }),
    );
    await connect().call({ method: 'PUT', path: '/x', json: {} });
    expect(seen).toHaveLength(3);
  });

  it('is not waited for longer than patience lasts, all pauses together, nor when we stop', async () => {
    const soon = { errcode: 'M_LIMIT_EXCEEDED', error: 'Too fast', retry_after_ms: 60 };
    answer((response) => sendJson(response, soon, 429));
    expect(await failure(connect(150).call({ method: 'GET', path: '/x' }))).toMatchObject({ status: 429 });
    expect(seen).toHaveLength(3);
    const busy = { errcode: 'M_LIMIT_EXCEEDED', error: 'Too fast', retry_after_ms: 60_000 };
    answer((response) => sendJson(response, busy, 429));
    expect(await failure(connect(1_000).call({ method: 'GET', path: '/x' }))).toMatchObject({
      retryable: true,
      status: 429,
    });
    const homeserver = connect();
    const waiting = failure(homeserver.call({ method: 'GET', path: '/x' }));
    homeserver.close();
    expect(await waiting).toMatchObject({ retryable: true });
  });

  it('is asked again over a new connection where one was dead, but not for what must be done once', async () => {
    answer(
      (response) => void response.destroy(),
      (response) => sendJson(response, {}),
    );
    await connect().call({ method: 'POST', path: '/x', json: {} });
    expect(seen).toHaveLength(2);
    answer((response) => void response.destroy());
    expect(await failure(connect().call({ method: 'POST', path: '/x', json: {}, once: true }))).toMatchObject({
      code: 'HOMESERVER_UNREACHABLE',
      retryable: true,
      outage: true,
    });
    expect(seen).toHaveLength(3);
  });

  it.each([
    [403, { errcode: 'M_FORBIDDEN', error: 'No' }, false, 'M_FORBIDDEN'],
    [413, { errcode: 'M_TOO_LARGE', error: 'No' }, false, 'M_TOO_LARGE'],
    [401, { errcode: 'M_UNKNOWN_TOKEN', error: 'No' }, true, 'M_UNKNOWN_TOKEN'],
    [404, { errcode: 'M_UNRECOGNIZED', error: 'No' }, true, 'M_UNRECOGNIZED'],
    [503, { errcode: 'M_UNKNOWN', error: 'No' }, true, 'M_UNKNOWN'],
    [502, 'a proxy’s page', true, 'HOMESERVER_FAILED'],
    [404, 'a proxy’s page', true, 'HOMESERVER_FAILED'],
  ])('%i %j can be tried again: %s', async (status, body, retryable, code) => {
    answer((response) => sendJson(response, body, status));
    expect(await failure(connect().call({ method: 'GET', path: '/x' }))).toMatchObject({ status, retryable, code });
  });

  it('is followed nowhere else', async () => {
    answer((response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end());
    expect(await failure(connect().call({ method: 'GET', path: '/x' }))).toMatchObject({
      code: 'HOMESERVER_UNREACHABLE',
    });
  });
});
