// Runs suites and tells what came of them; Jest's own report goes to standard error.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** @returns how many tests passed and failed, and the full names of those that were skipped */
export function runJest(projects, { args = [], env = {} } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-results-'));
  const file = path.join(folder, 'results.json');
  const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const line = [...jest, '--json', `--outputFile=${file}`, '--selectProjects', ...projects, ...args];
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } };
  const { status } = spawnSync(process.execPath, line, options);
  const results = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : null;
  fs.rmSync(folder, { recursive: true });
  return summaryOf(results, status);
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
