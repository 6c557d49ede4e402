// What `npm run test:faults` runs (docs/faults.md). The last line is always `N passed, N failed`.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runJest } from './run-jest.mjs';

const HELP = `Usage: npm run test:faults [-- --long] [--only <words>] [--seed <number>] [--workers <number>]

  (nothing)  the short form, part of npm test: the process killed once at every marked point, over mail and the fake
             network, with Matrix at the points that only it has, and one of each fault at every peer; a few minutes
  --long     also the long form: random kills under load, PostgreSQL restarted, killed and without room on its disk,
             a clock that jumps, two workers at one pair, a worker that freezes, Matrix with its roles apart
  --only     scenarios whose name has these words in it: --only "at outbox", --only "postgres, cut"
  --seed     draws what is left to chance as the run with this seed did; every line names its seed
  --workers  suites at a time, 2 if not given

A line for each scenario says what was broken, where, and how long it took. docs/faults.md says how to read a failure.
`;

const OPTIONS = {
  long: { type: 'boolean', default: false },
  only: { type: 'string' },
  seed: { type: 'string' },
  workers: { type: 'string', default: '2' },
  help: { type: 'boolean', default: false },
};

async function main() {
  const { long, only, seed, workers, help } = readOptions();
  if (help) return process.stdout.write(HELP);
  const env = { FAULT_SEED: seed ?? String(randomInt(2 ** 31)), ...(long ? { FAULT_LONG: '1' } : {}) };
  const filter = only === undefined ? [] : ['--testNamePattern', escaped(only)];
  const { passed, failed, skipped } = await runJest(['faults'], { args: ['--maxWorkers', workers, ...filter], env });
  const unexplained = only === undefined ? skipped.length : 0;
  for (const name of skipped.slice(0, unexplained)) process.stdout.write(`not run: ${name}\n`);
  const nothing = passed + failed === 0 ? 1 : 0;
  if (nothing) process.stdout.write('No scenario has such a name.\n');
  process.stdout.write(`${passed} passed, ${failed + nothing} failed\n`);
  process.exitCode = failed + nothing > 0 ? 1 : 0;
}

function readOptions() {
  try {
    const { values } = parseArgs({ options: OPTIONS });
    for (const name of ['seed', 'workers']) requireNumber(name, values[name]);
    return values;
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    return process.exit(2);
  }
}

function requireNumber(name, text) {
  if (text !== undefined && !/^\d{1,9}$/.test(text)) throw new Error(`--${name} takes a whole number.`);
}

/** Words, not a pattern. */
function escaped(words) {
  return words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

await main();
