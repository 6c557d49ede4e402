import { residentMb } from './processes.mjs';
import { Queue, SCHEMA } from './queue-tables.mjs';

const LIMITS = { poolSize: 40, connectSeconds: 10, statementSeconds: 60, lockSeconds: 20 };
const CONCURRENCY = 32;
const AT_ONCE = 16;
const BATCH = 20;
const PART = { pairs: 10_000, items: 100_000 };
const WHOLE = { pairs: 100_000, items: 1_000_000 };
const ROWS = 12;
/** So many wait all the time: who enqueues faster than the others settle waits for them. */
const LEVEL = 20_000;

const COLUMNS = {
  after: 'after min',
  enqueued: 'enqueued per s',
  settled: 'settled per s',
  claims: `claims of ${BATCH}, per s`,
  claimRatio: '/ before',
  p50: 'claim p50 ms',
  tables: 'tables MB',
  indexes: 'indexes MB',
  worker: 'worker RSS MB',
};

/**
 * What the queue is like after a long time of filling and emptying: one process enqueues for as many pairs as the backlog
 * has, and keeps the same number waiting, another one settles. Claims are measured with the same backlog before it, in
 * tables that are new, and after it, in those that came of it: PostgreSQL has vacuumed them when it thought fit.
 */
export async function measureSoak(stage, { seconds, full, minutes }) {
  const database = { ...stage.postgres, ...LIMITS, schema: SCHEMA };
  const start = () => stage.start('queue-worker.mjs', { database, concurrency: CONCURRENCY });
  const [producer, consumer] = [await start(), await start()];
  const queue = await Queue.open(stage.postgres);
  const backlog = full ? WHOLE : PART;
  try {
    await queue.clear();
    const rows = [{ after: 'before', ...(await withBacklog(queue, producer, { seconds, backlog, tidy: true })) }];
    await queue.clear();
    for (let minute = 0; minute < minutes;) {
      const span = Math.min(Math.max(1, Math.ceil(minutes / ROWS)), minutes - minute);
      const row = await churn(queue, { producer, consumer, backlog }, span);
      minute += span;
      rows.push({ after: String(minute), ...row });
      process.stderr.write(`soak: ${minute} of ${minutes} minutes, ${Math.round(row.settled)} settled per s\n`);
    }
    const after = await withBacklog(queue, producer, { seconds, backlog, tidy: false });
    rows.push({ after: 'after', ...after, claimRatio: after.claims / rows[0].claims });
    const title = `soak: ${minutes} minutes of filling and emptying; before and after with ${backlog.items.toLocaleString('en')} waiting`;
    return { name: 'soak', title, columns: COLUMNS, rows, figures: rows };
  } finally {
    await queue.close();
  }
}

async function withBacklog(queue, { ask }, { seconds, backlog, tidy }) {
  await queue.stock(backlog, { name: `${tidy}`, tidy });
  const enqueued = (await ask({ question: 'enqueue', seconds, atOnce: AT_ONCE })) / seconds;
  const began = performance.now();
  const { claims, p50 } = await ask({ question: 'claim', seconds, batch: BATCH });
  return { enqueued, claims: (claims * 1_000) / (performance.now() - began), p50, ...(await queue.size()) };
}

/** Minute by minute, so that the worker need not keep what it counts. */
async function churn(queue, { producer, consumer, backlog }, minutes) {
  let [enqueued, settled] = [0, 0];
  for (let minute = 0; minute < minutes; minute += 1) {
    await consumer.ask({ question: 'run' });
    enqueued += await producer.ask({
      question: 'enqueue',
      seconds: 60,
      atOnce: AT_ONCE,
      pairs: backlog.pairs,
      level: LEVEL,
    });
    settled += (await consumer.ask({ question: 'halt' })).handled;
  }
  const seconds = minutes * 60;
  const sizes = await queue.size();
  return { enqueued: enqueued / seconds, settled: settled / seconds, ...sizes, worker: residentMb(consumer.pid) };
}
