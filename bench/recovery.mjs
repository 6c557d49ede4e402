import http from 'node:http';
import { once } from 'node:events';
import { median } from './statistics.mjs';
import { Queue, SCHEMA } from './queue-tables.mjs';

const LIMITS = { poolSize: 40, connectSeconds: 10, statementSeconds: 60, lockSeconds: 20 };
const PLANS = {
  full: { items: 10_000, pairs: 10_000, busyPairs: 2_000 },
  quick: { items: 1_000, pairs: 1_000, busyPairs: 200 },
};
/** Nobody can wait for it to run out. */
const LEASE_SECONDS = 3_600;
const CONCURRENCY = 32;
const FEWER = 3;
const LOOK_MS = 5;
const PATIENCE_MS = 300_000;

const COLUMNS = {
  name: 'killed',
  waiting: 'waiting',
  leased: 'leased',
  first: 'first delivery s',
  all: 'all done s',
  delivered: 'delivered',
  again: 'delivered again',
  left: 'left',
};

/**
 * What a SIGKILL of the only worker costs: seconds from the start of the next process to its first delivery and to its
 * last. Deliveries are counted by a far side over HTTP, which knows a repeat by its id.
 */
export async function measureRecovery(stage, { rounds, quick }) {
  const plan = quick ? PLANS.quick : PLANS.full;
  const far = await FarSide.open();
  const queue = await Queue.open(stage.postgres);
  const kinds = [
    { name: 'while it holds all', pairs: plan.pairs, concurrency: plan.items, holds: true },
    { name: 'while it delivers', pairs: plan.busyPairs, concurrency: CONCURRENCY, holds: false },
  ];
  try {
    const times = Math.ceil(rounds / FEWER);
    const rows = [];
    for (const kind of kinds) {
      const runs = [];
      for (let round = 0; round < times; round += 1) runs.push(await killOnce({ stage, queue, far, kind, plan }));
      const of = (what) => median(runs.map((run) => run[what]));
      rows.push(Object.fromEntries(Object.keys(COLUMNS).map((column) => [column, kind[column] ?? of(column)])));
    }
    const title = `recovery: a worker killed with ${plan.items.toLocaleString('en')} messages waiting, and the next one`;
    return { name: 'recovery', title, columns: COLUMNS, rows, figures: rows };
  } finally {
    await queue.close();
    far.close();
  }
}

async function killOnce({ stage, queue, far, kind, plan }) {
  const start = (concurrency) =>
    stage.start('queue-worker.mjs', {
      database: { ...stage.postgres, ...LIMITS, schema: SCHEMA },
      concurrency,
      leaseSeconds: LEASE_SECONDS,
      farPort: far.port,
    });
  const first = await start(kind.concurrency);
  await queue.clear();
  await queue.stock({ pairs: kind.pairs, items: plan.items }, 'pair', kind.holds ? 'held' : 'far');
  far.forget();
  await first.ask({ question: 'run' });
  if (kind.holds) await until(async () => (await queue.leased()) === plan.items);
  else await until(() => far.count > plan.items / 3);
  process.kill(first.pid, 'SIGKILL');
  await first.stop();
  const [waiting, leased, before] = [await queue.waiting(), await queue.leased(), far.count];
  await queue.relabel('far');
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1_000;
  const firstSeen = until(() => far.count > before).then(seconds);
  const next = await start(CONCURRENCY);
  await next.ask({ question: 'run' });
  await until(async () => (await queue.waiting()) === 0);
  const all = seconds();
  await next.ask({ question: 'halt' });
  await next.stop();
  const { delivered, again } = far;
  return { waiting, leased, first: await firstSeen, all, delivered, again, left: plan.items - delivered };
}

async function until(holds) {
  for (const end = Date.now() + PATIENCE_MS; !(await holds());) {
    if (Date.now() > end) throw new Error('The queue was not emptied in time.');
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Takes what is posted to it, and counts. */
class FarSide {
  #seen = new Set();
  #server;
  count = 0;

  static async open() {
    const far = new FarSide();
    far.#server = http.createServer((request, response) => {
      far.count += 1;
      far.#seen.add(request.url);
      request.resume();
      response.end();
    });
    far.#server.listen(0, '127.0.0.1');
    await once(far.#server, 'listening');
    return far;
  }

  get port() {
    return this.#server.address().port;
  }

  get delivered() {
    return this.#seen.size;
  }

  get again() {
    return this.count - this.#seen.size;
  }

  forget() {
    this.count = 0;
    this.#seen = new Set();
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
