import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LOOPBACK } from '../dist/sandbox/ports.js';
import { residentMb } from './processes.mjs';
import { elsewhere } from './stage.mjs';
import { median } from './statistics.mjs';

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const ASK_AGAIN_MS = 5;
const PATIENCE_MS = 60_000;
const IDLE_MS = 3_000;
const COLUMNS = { name: 'serves', seconds: 'ready, s', slowest: 'slowest, s', idleMb: 'RSS idle, MB' };

/** `dm3-gateway start` on a migrated database: how long until it is ready, and how much memory it then takes. */
export async function measureStart(stage, { rounds }) {
  const { input, ports } = await elsewhere(stage.setting, 'dm3_gateway_start');
  const { email, settings } = input;
  const cases = Object.entries({ 'dm3 alone': settings, 'dm3 and email': { ...settings, email } }).map(
    ([name, configuration], index) => ({ name, file: writeFiles(stage, index, configuration), starts: [] }),
  );
  const secrets = secretVariables(input.secrets);
  await startOnce(stage, { file: cases[0].file, secrets, port: ports.http }); // migrates
  for (let round = 0; round < rounds; round += 1) {
    for (const { file, starts } of cases) starts.push(await startOnce(stage, { file, secrets, port: ports.http }));
  }
  const rows = cases.map(({ name, starts }) => ({
    name,
    seconds: median(starts.map(({ seconds }) => seconds)),
    slowest: Math.max(...starts.map(({ seconds }) => seconds)),
    idleMb: median(starts.map(({ idleMb }) => idleMb)),
  }));
  const title = `start: "dm3-gateway start" until /health/ready answers 200, and its memory ${IDLE_MS / 1_000} s later`;
  return { name: 'start', title, columns: COLUMNS, rows, figures: rows };
}

/** JSON is YAML. */
export function writeFiles(stage, index, configuration) {
  const file = path.join(stage.home, `start-${index}.yaml`);
  fs.writeFileSync(file, JSON.stringify({ ...configuration, logLevel: 'warn' }));
  return file;
}

export function secretVariables({ rootSecret, storageKeys }) {
  return {
    DM3_GATEWAY_ROOT_SECRET: rootSecret.toString('hex'),
    DM3_GATEWAY_STORAGE_KEYS: storageKeys.map(({ id, key }) => `${id}:${key.toString('hex')}`).join(','),
  };
}

export async function startOnce(stage, { file, secrets, port }) {
  const log = fs.openSync(path.join(stage.home, 'start.log'), 'a', 0o600);
  const began = performance.now();
  const child = spawn(process.execPath, [CLI, 'start', '--config', file], {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...secrets },
  });
  const ended = once(child, 'exit');
  try {
    await isReady(port, child);
    const seconds = (performance.now() - began) / 1_000;
    await delay(IDLE_MS);
    return { seconds, idleMb: residentMb(child.pid) };
  } finally {
    child.kill();
    await ended;
    fs.closeSync(log);
  }
}

async function isReady(port, child) {
  const deadline = performance.now() + PATIENCE_MS;
  while (child.exitCode === null && performance.now() < deadline) {
    const status = await fetch(`http://${LOOPBACK}:${port}/health/ready`).then(
      async (response) => (await response.arrayBuffer()) && response.status,
      () => null,
    );
    if (status === 200) return;
    await delay(ASK_AGAIN_MS);
  }
  throw new Error('The gateway did not start.');
}
