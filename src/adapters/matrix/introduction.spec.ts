import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { sendJson, startHttpServer, type TestServer } from '../../../test/support/http-server.js';
import { silentLog } from '../../ops/event-log.js';
import { MatrixApi } from './api.js';
import { HomeserverError } from './errors.js';
import { Homeserver } from './homeserver.js';
import { Introduction } from './introduction.js';

let server: TestServer;
let introduction: Introduction;
let pings: number;
/** What the homeserver answers: to everything, or to pings alone. */
let answer: { status: number; body: object };
let pingAnswer: typeof answer | null;
const WELL = { status: 200, body: {} };
const AWAY = { status: 503, body: [] };
const UNREACHED = { status: 502, body: { errcode: 'M_CONNECTION_FAILED', error: 'No' } };

beforeEach(async () => {
  [pings, answer, pingAnswer] = [0, WELL, null];
  server = await startHttpServer();
  server.handler = (request, response) => {
    const isPing = request.url!.endsWith('/ping');
    if (isPing) pings += 1;
    const { status, body } = (isPing && pingAnswer) || answer;
    sendJson(response, body, status);
  };
});
afterEach(async () => {
  introduction.stop();
  await server.stop();
});

/** @returns a call that has nothing to do with it */
function start(everyMs: number): () => Promise<unknown> {
  const onOutcome = (error: HomeserverError | null) => introduction.noticed(error);
  const homeserver = new Homeserver({ url: server.url, token: 'secret', timeoutMs: 5_000, onOutcome });
  const api = new MatrixApi(homeserver);
  introduction = new Introduction({ api, registrationId: 'dm3', log: silentLog, everyMs });
  introduction.start();
  return () => homeserver.call({ method: 'GET', path: '/x' }).catch(() => null);
}
const untilStatus = (status: string) =>
  eventually(`it to be ${status}`, async () => introduction.health().status === status);
const untilPinged = (count: number) => eventually(`${count} pings`, async () => pings >= count);

const HOUR_MS = 3_600_000;

describe('The health of the connection', () => {
  it('is looked at while nothing else happens, again and again', async () => {
    start(30);
    await untilPinged(2);
    expect(introduction.health()).toEqual({ status: 'up' });
    answer = AWAY;
    await untilStatus('degraded');
    answer = WELL;
    await untilStatus('up');
  });

  it('follows the calls that are made', async () => {
    const call = start(HOUR_MS);
    await untilPinged(1);
    await untilStatus('up');
    answer = AWAY;
    await call();
    expect(introduction.health()).toMatchObject({ status: 'degraded' });
    expect(introduction.health().detail).toContain('HOMESERVER_FAILED');
    await untilPinged(3);
    answer = WELL;
    await call();
    await untilStatus('up');
  });

  it('is none of other refusals, nor mended by calls where the homeserver does not reach us', async () => {
    const call = start(HOUR_MS);
    await untilPinged(1);
    answer = { status: 403, body: { errcode: 'M_FORBIDDEN', error: 'No' } };
    await call();
    expect(introduction.health()).toEqual({ status: 'up' });
    introduction.stop();

    [pings, answer, pingAnswer] = [0, WELL, UNREACHED];
    const another = start(HOUR_MS);
    await untilPinged(1);
    await untilStatus('degraded');
    for (let count = 0; count < 20; count += 1) await another();
    expect(introduction.health().detail).toContain('M_CONNECTION_FAILED');
    pingAnswer = null;
    await untilStatus('up');
  });
});
