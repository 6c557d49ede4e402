import fs from 'node:fs';
import path from 'node:path';
import { Backlog } from './backlog.mjs';
import { itemsNeeded } from './compare.mjs';
import { elsewhere } from './stage.mjs';
import { median } from './statistics.mjs';
import { requests } from './submit.mjs';

const AT_ONCE = 16;
/** Loads in a round: one that warms up, one before, one during, one afterwards. */
const SUBMITS = 4;
const FIGURES = ['perSecond', 'p50', 'p99'];
/** Rows that stay, and rows whose time is over in every round. */
const PART = { accounts: 10_000, messages: 100_000, old: 60_000 };
const WHOLE = { accounts: 100_000, messages: 1_000_000, old: 200_000 };

const COLUMNS = {
  name: 'while',
  perSecond: 'submitted per s',
  p50: 'p50 ms',
  p99: 'p99 ms',
  rateRatio: 'per s / resting',
  p50Ratio: 'p50 / resting',
  p99Ratio: 'p99 / resting',
  removed: 'rows removed per s',
  overlap: 'of the time',
};

/** What submissions notice of the upkeep while it removes very many rows, in the same process and database. */
export async function measurePurge(stage, { rounds, seconds, count, full }) {
  const backlog = full ? WHOLE : PART;
  const gateway = await openGateway(stage, backlog);
  const plan = { concurrency: AT_ONCE, count: count.submit, seconds };
  const load = await startLoad(stage, { ...plan, rounds });
  const submit = () => load.ask({ target: 'gateway', port: gateway.port, ...plan });
  try {
    const runs = [];
    for (let round = 0; round < rounds; round += 1) runs.push(await measureRound(gateway, submit, backlog.old));
    const rows = rowsOf(runs);
    return { name: 'purge', title: titleOf(backlog, rounds, full), columns: COLUMNS, rows, figures: rows };
  } finally {
    await gateway.tables.close();
  }
}

function titleOf({ messages, old }, rounds, full) {
  const figure = (number) => number.toLocaleString('en');
  const rest = full ? '' : '; -- --full: ten times as many stay, a million go';
  return `purge: dm3_submitMessage, ${AT_ONCE} at once, while ${figure(old * rounds)} rows go, in a database of ${figure(messages)} messages${rest}`;
}

async function openGateway(stage, { accounts, messages }) {
  const { input, ports } = await elsewhere(stage.setting, 'dm3_gateway_purge');
  input.settings.deliveryService = { ...input.settings.deliveryService, messageTtlDays: 30 }; // by default they stay
  const { ask } = await stage.start('gateway-process.mjs', input);
  const tables = await Backlog.open(stage.postgres, input.settings.database.schema);
  await tables.stock({ accounts, messages, profile: stage.receivers[0].profile });
  return {
    ask,
    tables,
    port: ports.http,
    complaints: () => complaintsIn(path.join(stage.home, 'gateway-process.log')),
  };
}

/** What the upkeep said of itself. */
function complaintsIn(log) {
  const lines = fs.readFileSync(log, 'utf8').split('\n');
  return lines.filter((line) => line.includes('maintenance.failed')).join('\n');
}

/** Every envelope is sent once. */
async function startLoad(stage, { rounds, count }) {
  const file = path.join(stage.home, 'purge.ndjson');
  fs.writeFileSync(file, requests(stage, itemsNeeded({ concurrencies: [AT_ONCE], rounds: SUBMITS * rounds, count })));
  return stage.start('load.mjs', { protocol: 'http', file });
}

/**
 * The same tables, before the upkeep begins, while it is at work, and afterwards. What comes right after the checkpoint
 * writes whole pages to the log and is not counted.
 */
async function measureRound({ ask, tables, complaints }, submit, old) {
  await tables.outlive(old);
  await submit();
  const before = await submit();
  const began = performance.now();
  const purging = ask('purge').then(() => (performance.now() - began) / 1_000);
  const busy = await submit();
  const loaded = (performance.now() - began) / 1_000;
  const took = await purging;
  const left = await tables.outlived();
  if (left > 0) throw new Error(`The upkeep left ${left} rows. ${complaints()}`);
  const resting = between(before, await submit());
  return { resting, busy, removed: old / took, overlap: Math.min(1, took / loaded) };
}

function between(one, other) {
  return Object.fromEntries(FIGURES.map((figure) => [figure, (one[figure] + other[figure]) / 2]));
}

function rowsOf(runs) {
  const figures = (kind) => FIGURES.map((figure) => [figure, median(runs.map((run) => run[kind][figure]))]);
  const ratio = (figure) => median(runs.map(({ busy, resting }) => busy[figure] / resting[figure]));
  const of = (figure) => median(runs.map((run) => run[figure]));
  const ratios = { rateRatio: ratio('perSecond'), p50Ratio: ratio('p50'), p99Ratio: ratio('p99') };
  return [
    { name: 'the upkeep rests', ...Object.fromEntries(figures('resting')) },
    {
      name: 'the upkeep removes',
      ...Object.fromEntries(figures('busy')),
      ...ratios,
      removed: of('removed'),
      overlap: of('overlap'),
    },
  ];
}
