// Runs suites and tells what came of them; Jest's own report goes to standard error.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * Whoever is told to stop stops Jest, which puts away what it has started, and ends then.
 * @returns how many tests passed and failed, and the full names of those that were skipped
 */
export async function runJest(projects, { args = [], env = {} } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-results-'));
  const file = path.join(folder, 'results.json');
  const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const line = [...jest, '--json', `--outputFile=${file}`, '--selectProjects', ...projects, ...args];
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } };
  const { status, stoppedBy } = await ended(spawn(process.execPath, line, { ...options, detached: true }));
  const results = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : null;
  fs.rmSync(folder, { recursive: true });
  if (stoppedBy) process.exit(SIGNALS[stoppedBy]);
  return summaryOf(results, status);
}

/** It has a group of its own, of which nothing is left running: its workers, and what tests have started. */
async function ended(child) {
  let stoppedBy = null;
  const pass = (signal) => child.kill((stoppedBy = signal));
  for (const signal of Object.keys(SIGNALS)) process.on(signal, pass);
  const [status] = await once(child, 'exit');
  for (const signal of Object.keys(SIGNALS)) process.off(signal, pass);
  if (stoppedBy) killGroup(child.pid);
  return { status, stoppedBy };
}

function killGroup(leader) {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function summaryOf(results, status) {
  const failed = (results?.numFailedTests ?? 0) + (results?.numRuntimeErrorTestSuites ?? 0);
  const tests = (results?.testResults ?? []).flatMap((suite) => suite.assertionResults);
  return {
    passed: results?.numPassedTests ?? 0,
    failed: failed === 0 && status !== 0 ? 1 : failed, // Jest itself may fail: its setup, a run without tests
    skipped: tests.filter(({ status: outcome }) => outcome === 'pending').map(({ fullName }) => fullName),
  };
}
