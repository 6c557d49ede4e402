import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { pinoHttp } from 'pino-http';
import { startHttpServer, type TestServer } from '../../test/support/http-server.js';
import { createLogger } from './event-log.js';
import { requestLogging } from './http-log.js';

const lines: string[] = [];
let server: TestServer;

beforeAll(async () => {
  const logger = createLogger({ level: 'debug', destination: { write: (line: string) => void lines.push(line) } });
  const handle = pinoHttp(requestLogging(logger));
  server = await startHttpServer((request, response) => {
    handle(request, response);
    response.statusCode = request.url!.includes('broken') ? 500 : 200;
    if (request.url!.includes('broken')) response.emit('error', new Error('bob.eth is not there'));
    response.end();
  });
});
afterAll(() => server.stop());

it('writes method, status and time of a request, and nothing of who asked for whom', async () => {
  const secret = { authorization: 'Bearer abc.def' };
  await fetch(`${server.url}/ds/profile/bob.eth?x=carol@example.org`, { headers: secret });
  await fetch(`${server.url}/ds/broken/bob.eth`, { method: 'POST', headers: secret, body: 'Meet me at noon' });
  const events = lines.map((line) => JSON.parse(line));
  expect(events).toMatchObject([
    { level: 20, event: 'http.request', method: 'GET', status: 200, ms: expect.any(Number) },
    { level: 40, event: 'http.request', method: 'POST', status: 500 },
  ]);
  expect(lines.join('')).not.toMatch(/bob\.eth|carol|abc\.def|noon|127\.0\.0\.1/);
});
