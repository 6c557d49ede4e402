import { inWords, Profile } from './profile.mjs';
import { Queue, SCHEMA } from './queue-tables.mjs';
import { median, quantile } from './statistics.mjs';

const CONCURRENCY = 32;
const AT_ONCE = 16;
const BATCH = 20;
const PART = { pairs: 10_000, items: 100_000 };
const WHOLE = { pairs: 100_000, items: 1_000_000 };
const DEAD_PAIRS = 10_000;
const SMALL = { pairs: 100, items: 100 };

const figure = (number) => number.toLocaleString('en');

/** How fast the queue empties, whether its depth or a dead destination slows anything down, and what it takes on disk. */
export function measureQueue(stage, { rounds, seconds, full }) {
  return withQueue(stage, async (queue, workers) => [
    ...(await emptying(queue, workers, rounds, seconds)),
    await depthSection(queue, workers, { rounds, seconds, full }),
    section(
      'dead',
      `queue: ${figure(DEAD_PAIRS)} pairs of a destination that never answers`,
      DEAD,
      await dead(queue, workers, rounds, seconds),
    ),
  ]);
}

export function measureDepth(stage, plan) {
  return withQueue(stage, (queue, workers) => depthSection(queue, workers, plan));
}

async function withQueue(stage, measure) {
  const database = { ...stage.postgres, ...LIMITS, schema: SCHEMA };
  const start = () => stage.start('queue-worker.mjs', { database, concurrency: CONCURRENCY });
  const workers = [await start(), await start()];
  const queue = await Queue.open(stage.postgres);
  try {
    return await measure(queue, workers);
  } finally {
    await queue.close();
  }
}

async function depthSection(queue, workers, { rounds, seconds, full }) {
  const title = `queue: depth${full ? '' : ' (a tenth; -- --full: a million)'}`;
  const backlog = full ? WHOLE : PART;
  return section('depth', title, DEPTH, await depth(queue, workers, { rounds, seconds, backlog }));
}

const LIMITS = { poolSize: 40, connectSeconds: 10, statementSeconds: 60, lockSeconds: 20 };
const section = (name, title, columns, rows) => ({ name, title, columns, rows, figures: rows });

const all = (workers, message) => Promise.all(workers.map(({ ask }) => ask(message)));
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

const EMPTYING = {
  name: 'by',
  perSecond: 'settled per s',
  ratio: '/ one process',
  claims: `claims of ${BATCH}, per s`,
  claimRatio: '/ one process',
};

/** One process and two in turn, each message settled in a transaction of its own as the gateway does; then in batches. */
async function emptying(queue, workers, rounds, seconds) {
  const plans = [
    { name: 'one process', workers: workers.slice(0, 1), runs: [] },
    { name: 'two processes', workers, runs: [] },
  ];
  for (let round = 0; round < rounds; round += 1) {
    for (const plan of plans) plan.runs.push(await emptyOnce(queue, plan.workers, seconds));
  }
  return [
    section('queue', 'queue: emptied by worker processes', EMPTYING, speedsOf(plans)),
    section('profile', 'queue: what that time went into', PROFILE, plans.map(profileOf)),
  ];
}

function speedsOf(plans) {
  const [one] = plans;
  return plans.map(({ name, runs }) => {
    const of = (what) => median(runs.map((run) => run[what]));
    const against = (what) =>
      runs === one.runs ? null : median(runs.map((run, index) => run[what] / one.runs[index][what]));
    return {
      name,
      perSecond: of('perSecond'),
      ratio: against('perSecond'),
      claims: of('claims'),
      claimRatio: against('claims'),
    };
  });
}

const PROFILE = {
  name: 'by',
  workers: 'CPU of the workers, cores',
  database: 'of PostgreSQL',
  machine: 'of the machine',
  perMessage: 'ms of CPU a message',
  waits: 'the workers’ sessions, on the average',
};

function profileOf({ name, runs }) {
  const of = (what) => median(runs.map((run) => run.profile[what]));
  const names = new Set(runs.flatMap(({ profile }) => profile.doing.map(([doing]) => doing)));
  const share = (doing) => median(runs.map(({ profile }) => new Map(profile.doing).get(doing) ?? 0));
  const doing = [...names].map((each) => [each, share(each)]).sort(([, a], [, b]) => b - a);
  const perMessage = median(
    runs.map(({ profile, perSecond }) => (1e3 * (profile.workers + profile.database)) / perSecond),
  );
  const cores = { workers: of('workers'), database: of('database'), machine: of('machine') };
  return { name, ...cores, perMessage, waits: inWords(doing) };
}

async function emptyOnce(queue, workers, seconds) {
  await queue.clear();
  await queue.stock({ pairs: 20_000, items: 100_000 });
  const began = performance.now();
  await all(workers, { question: 'run' });
  const profiling = await Profile.begin(queue, workers);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const profile = await profiling.end();
  const results = await all(workers, { question: 'halt' });
  const perSecond = (sum(results.map(({ handled }) => handled)) * 1_000) / (performance.now() - began);
  const claimed = await all(workers, { question: 'claim', seconds, batch: BATCH });
  return { perSecond, profile, claims: sum(claimed.map(({ claims }) => claims)) / seconds };
}

const DEPTH = {
  name: 'waiting',
  enqueued: 'enqueued per s',
  rateRatio: '/ first',
  claims: `claims of ${BATCH}, per s`,
  claimRatio: '/ first',
  p50: 'claim p50 ms',
  tables: 'tables MB',
  indexes: 'indexes MB',
};

async function depth(queue, [worker], { rounds, seconds, backlog }) {
  const plans = [SMALL, backlog].map((size) => ({
    size,
    name: `${figure(size.items)} of ${figure(size.pairs)} pairs`,
    runs: [],
  }));
  for (let round = 0; round < rounds; round += 1) {
    for (const plan of plans) plan.runs.push(await depthOnce(queue, worker, plan.size, seconds));
  }
  const [first] = plans;
  return plans.map(({ name, runs }) => {
    const of = (what) => median(runs.map((run) => run[what]));
    const against = (what) =>
      runs === first.runs ? null : median(runs.map((run, index) => run[what] / first.runs[index][what]));
    return {
      name,
      enqueued: of('enqueued'),
      rateRatio: against('enqueued'),
      claims: of('claims'),
      claimRatio: against('claims'),
      p50: of('p50'),
      tables: of('tables'),
      indexes: of('indexes'),
    };
  });
}

/** What is enqueued is claimed next to the backlog: of a small one there would soon be nothing left. */
async function depthOnce(queue, { ask }, size, seconds) {
  await queue.clear();
  await queue.stock(size);
  const enqueued = (await ask({ question: 'enqueue', seconds, atOnce: AT_ONCE })) / seconds;
  const began = performance.now();
  const { claims, p50 } = await ask({ question: 'claim', seconds, batch: BATCH });
  return { enqueued, claims: (claims * 1_000) / (performance.now() - began), p50, ...(await queue.size()) };
}

const DEAD = { name: 'meanwhile', p50: 'latency p50 ms', p50Ratio: '/ without', p99: 'p99 ms', p99Ratio: '/ without' };

/** One after the other, a message for somebody else, from its transaction's begin to its handler. */
async function dead(queue, workers, rounds, seconds) {
  const runs = { without: [], with: [] };
  for (let round = 0; round < rounds; round += 1) {
    runs.without.push(await latencyOnce(queue, workers, seconds, 0));
    runs.with.push(await latencyOnce(queue, workers, seconds, DEAD_PAIRS));
  }
  const row = (name, own) => {
    const of = (what) => median(own.map((run) => run[what]));
    const against = (what) =>
      own === runs.without ? null : median(own.map((run, index) => run[what] / runs.without[index][what]));
    return { name, p50: of('p50'), p50Ratio: against('p50'), p99: of('p99'), p99Ratio: against('p99') };
  };
  return [row('nothing else', runs.without), row('a dead destination', runs.with)];
}

async function latencyOnce(queue, [producer, consumer], seconds, deadPairs) {
  await queue.clear();
  if (deadPairs > 0) await queue.stock({ pairs: deadPairs, items: deadPairs }, { name: 'dead', kind: 'dead' });
  await consumer.ask({ question: 'run' });
  await producer.ask({ question: 'enqueue', seconds: 2, atOnce: 1, everyMs: 5 }); // what is dead is known by then
  await producer.ask({ question: 'enqueue', seconds, atOnce: 1, everyMs: 5 });
  const { latencies } = await consumer.ask({ question: 'halt' });
  const later = latencies.slice(-Math.floor(latencies.length * (seconds / (seconds + 2))));
  return { p50: quantile(later, 0.5), p99: quantile(later, 0.99) };
}
