// What `npm test` runs. The last line is always `N passed, N failed`; a check counts as one test.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { needs, PEERS } from '../test/support/peers.js';
import { runJest } from './run-jest.mjs';

const HELP = `Usage: npm test [-- --unit | --e2e | --faults | --verify]

  (nothing)   every check, unit test, end-to-end test and fault scenario
  --verify    format, lint, boundaries, types and unit tests: what to run before a commit
  --unit      unit tests only
  --e2e       end-to-end tests only
  --faults    fault scenarios only, the short form (npm run test:faults has more)

Some end-to-end tests need a program from the system (${Object.keys(PEERS).join(', ')}); where it is missing they are
named as not run. REQUIRE_PEERS=all, or a list like REQUIRE_PEERS=swaks, makes that a failure.
`;

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
/** What did not change since the last run is not checked again. */
const CACHE = 'node_modules/.cache';
const CHECKS = {
  format: ['prettier/bin/prettier.cjs', '--check', '--cache', '--cache-strategy', 'content', '.'],
  lint: ['oxlint/bin/oxlint'],
  boundaries: ['dependency-cruiser/bin/dependency-cruise.mjs', 'src', '--config', '.dependency-cruiser.cjs'],
  packaging: ['../scripts/packaging.mjs'],
  types: ['typescript/bin/tsc', '--noEmit', '-p', '.', '--incremental', '--tsBuildInfoFile', `${CACHE}/tsbuildinfo`],
};

const count = { passed: 0, failed: 0 };

async function main() {
  const plan = readPlan();
  if (!(await run('build', ['scripts/build.mjs', '--force']))) return finish({ failed: 1 });
  const checks = Object.entries(plan.checks).map(([name, [tool, ...args]]) =>
    run(name, [path.join('node_modules', tool), ...args]),
  );
  for (const passed of await Promise.all(checks)) count[passed ? 'passed' : 'failed'] += 1;
  process.stdout.write(`tests       ${plan.projects.join(' and ')}\n`);
  const { passed, failed, skipped } = await runJest(plan.projects, { env: serverFor(plan.projects) });
  count.passed += passed;
  count.failed += failed;
  if (plan.projects.includes('e2e')) reportPeers(skipped, plan.required);
  reportUnexplained(skipped);
  finish(count);
}

function readPlan() {
  const flags = {
    unit: { type: 'boolean' },
    e2e: { type: 'boolean' },
    faults: { type: 'boolean' },
    verify: { type: 'boolean' },
    help: { type: 'boolean' },
  };
  const chosen = parseOrExplain(flags);
  if (chosen.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const everything = !chosen.unit && !chosen.e2e && !chosen.faults && !chosen.verify;
  const projects = [
    ...(everything || chosen.unit || chosen.verify ? ['unit'] : []),
    ...(everything || chosen.e2e ? ['e2e'] : []),
    ...(everything || chosen.faults ? ['faults'] : []),
  ];
  return { checks: everything || chosen.verify ? CHECKS : {}, projects, required: requiredPeers() };
}

function parseOrExplain(options) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return giveUp(`${error.message}\n\n${HELP}`);
  }
}

function requiredPeers() {
  const names = (process.env.REQUIRE_PEERS ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  const unknown = names.find((name) => name !== 'all' && !Object.hasOwn(PEERS, name));
  if (unknown) giveUp(`REQUIRE_PEERS names ${unknown}, which is none of: all, ${Object.keys(PEERS).join(', ')}.\n`);
  return names.includes('all') ? Object.keys(PEERS) : names;
}

function giveUp(text) {
  process.stderr.write(text);
  process.exit(2);
}

/** Runs one step and tells whether it passed; its output is shown only if it did not. */
function run(name, args) {
  const started = Date.now();
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      const outcome = error ? 'FAILED' : 'ok';
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      process.stdout.write(`${name.padEnd(12)}${outcome} (${seconds} s)\n${error ? `${stdout}${stderr}\n` : ''}`);
      resolve(!error);
    });
  });
}

/** Unit tests alone do with a PostgreSQL that would not outlive the machine (test/support/global-setup.js). */
function serverFor(projects) {
  return projects.every((project) => project === 'unit') ? { TEST_PG_FSYNC: 'off' } : {};
}

function reportPeers(skipped, required) {
  for (const { name, install } of Object.values(PEERS).filter((peer) => !peer.probe())) {
    const tests = skipped.filter((test) => test.includes(needs(name))).length;
    const demanded = required.includes(name);
    if (demanded) count.failed += 1;
    if (demanded || tests > 0) {
      process.stdout.write(`not run: ${name} (install it with: ${install}); tests that need it: ${tests}\n`);
    }
  }
}

/** A test that is skipped for no named reason would rot unseen. */
function reportUnexplained(skipped) {
  const reasons = Object.keys(PEERS).map(needs);
  for (const test of skipped.filter((name) => !reasons.some((reason) => name.includes(reason)))) {
    count.failed += 1;
    process.stdout.write(`skipped without a reason: ${test}\n`);
  }
}

function finish({ passed = 0, failed }) {
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
