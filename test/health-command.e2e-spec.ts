import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Probes } from '../src/ops/probes.js';
import { Shutdown } from '../src/ops/shutdown.js';
import { freePort } from '../src/sandbox/ports.js';
import { runOperator, startOperator } from './support/program.js';
import { TestGateway } from './support/test-gateway.js';

let gateway: TestGateway;
const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-health-'));

beforeAll(async () => (gateway = await TestGateway.create()));
afterAll(async () => {
  await gateway?.stop();
  rmSync(home, { recursive: true });
});

/** The gateway's configuration, but for where it listens. */
function configuration(http: { host?: string; port?: number } = {}): string {
  const file = path.join(home, 'gateway.yaml');
  writeFileSync(file, JSON.stringify({ ...gateway.settings, http: { ...gateway.settings.http, ...http } }));
  return file;
}
const health = (config: string, ...more: string[]) => runOperator(['health', '--config', config, ...more]);

it.each(['127.0.0.1', '0.0.0.0'])('says that a gateway which listens at %s is ready', async (host) => {
  expect(await health(configuration({ host }))).toEqual({ code: 0, stdout: 'ok\n', stderr: '' });
});

it('says that nobody answers', async () => {
  const port = await freePort();
  const stdout = `No answer at http://127.0.0.1:${port}/health/ready: ECONNREFUSED.\n`;
  expect(await health(configuration({ port }))).toEqual({ code: 1, stdout, stderr: '' });
});

it('waits for one that starts, and takes nothing else for a gateway', async () => {
  const port = await freePort();
  let answers = ['Hello', '{"status":"error","details":{"database":{"status":"down"}}}', '{"status":"ok"}'];
  const server = createServer((_, response) => {
    const [answer, ...rest] = answers;
    answers = rest.length > 0 ? rest : answers;
    response.end(answer);
  });
  const waiting = startOperator(['health', '--config', configuration({ port }), '--wait', '3600']);
  await once(waiting.child, 'spawn');
  server.listen(port, '127.0.0.1');
  expect(await waiting.ended).toMatchObject({ code: 0, stdout: 'ok\n' });
  answers = ['Hello'];
  const answer = await health(configuration({ port }));
  expect([answer.code, answer.stdout]).toEqual([1, expect.stringContaining('what answers is not a gateway')]);
  server.close();
});

it('names the parts that do not work', async () => {
  gateway.running.app.get(Probes).add({ name: 'broken', check: async () => ({ up: false }) });
  expect(await health(configuration())).toMatchObject({ code: 1, stdout: 'Not ready: broken.\n' });
});

it('tells a gateway that is about to stop from one that does not run', async () => {
  gateway.running.app.get(Shutdown).begin();
  expect(await health(configuration())).toMatchObject({ code: 1, stdout: 'Not ready: shutting_down.\n' });
  expect(await health(configuration(), '--live')).toMatchObject({ code: 0, stdout: 'ok\n' });
});

it.each([
  [['--wait', 'long'], "error: option '--wait <seconds>' argument 'long' is invalid."],
  [['--config', '/none/gateway.yaml'], 'Cannot read the configuration file /none/gateway.yaml'],
])('says what is wrong with %j', async (args, complaint) => {
  expect(await runOperator(['health', ...args])).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining(complaint),
  });
});
