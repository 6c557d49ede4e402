// A process that fills and empties the queue as the gateway does, without anything to deliver.
import { randomInt, randomUUID } from 'node:crypto';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayError } from '../dist/common/errors.js';
import { silentLog } from '../dist/ops/event-log.js';
import { claimDue } from '../dist/outbox/claim.js';
import { Outbox } from '../dist/outbox/outbox.js';
import { OutboxWorker } from '../dist/outbox/outbox-worker.js';
import { Database } from '../dist/storage/database.js';
import { serve } from './processes.mjs';
import { quantile } from './statistics.mjs';

const KIND = 'bench';
const DEAD_KIND = 'dead';
/** Never ends. */
const HELD_KIND = 'held';
/** Goes over HTTP to the far side, which counts. */
const FAR_KIND = 'far';
const CAPS = { byNetwork: {}, others: 4 };
const LEASE_SECONDS = 60;
const DEAD_MS = 2_000;
const NOW_AND_THEN_MS = 10;
const LOOK_MS = 50;
const SETTLE = `WITH done AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS done (head_id, seq)),
  gone AS (DELETE FROM outbox_item i USING done WHERE i.head_id = done.head_id AND i.seq = done.seq),
  ended AS (DELETE FROM outbox_lease l USING done WHERE l.head_id = done.head_id)
  UPDATE outbox_head h SET idle_at = now(), next_at = CASE WHEN EXISTS (
    SELECT FROM outbox_item i WHERE i.head_id = h.id AND i.seq <> done.seq) THEN now() END
  FROM done WHERE h.id = done.head_id`;

let db;
let outbox;
let worker;
let handled = 0;
let latencies = [];

async function start({ database, concurrency, leaseSeconds = LEASE_SECONDS, farPort }) {
  db = new Database(database);
  await db.open();
  outbox = new Outbox(database.schema);
  const take = async ({ createdAt }) => {
    handled += 1;
    latencies.push(Date.now() - createdAt.getTime());
  };
  const hang = async (item) => {
    item.routedTo({ key: Buffer.from('dead'), network: 'email', sealedName: Buffer.alloc(1) });
    await delay(DEAD_MS);
    const message = 'Nobody answers there.';
    throw new GatewayError({ code: 'DEAD', kind: 'unavailable', message, retryable: true, outage: true });
  };
  const fail = async () => {};
  const handlers = new Map([
    [KIND, { handle: take, fail }],
    [DEAD_KIND, { handle: hang, fail }],
    [HELD_KIND, { handle: () => new Promise(() => {}), fail }],
    [FAR_KIND, { handle: ({ ref }) => post(farPort, ref), fail }],
  ]);
  const policyOf = () => ({ firstSeconds: 30, factor: 2, maxSeconds: 3_600, jitter: 0.2 });
  const rest = { leaseSeconds, pollSeconds: 2, log: silentLog, caps: CAPS };
  worker = () => new OutboxWorker({ db, outbox, handlers, policyOf, concurrency, ...rest });
  return 'ready';
}

const agent = new http.Agent({ keepAlive: true });

function post(port, ref) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', method: 'POST', path: `/${ref}`, agent }, (response) => {
      response.resume().once('end', resolve);
    });
    request.once('error', reject).end();
  });
}

let running;
const answers = {
  async run() {
    running = worker();
    await running.start();
    return 'running';
  },
  async halt() {
    await running.stop();
    const result = { handled, latencies };
    [handled, latencies] = [0, []];
    return result;
  },
  /** Claims in batches for a while, each settled by one statement: what is measured is the claim. */
  async claim({ seconds, batch }) {
    const times = [];
    let claims = 0;
    for (const end = performance.now() + seconds * 1_000; performance.now() < end;) {
      const began = performance.now();
      const { items } = await claimDue(db, { limit: batch, leaseSeconds: LEASE_SECONDS, caps: CAPS, held: [] });
      times.push(performance.now() - began);
      claims += items.length;
      if (items.length === 0) break;
      await db.query(SETTLE, [items.map(({ headId }) => headId), items.map(({ seq }) => seq)], 'bench_settle');
    }
    return { claims, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
  },
  /** Enqueues, so many at once, for new pairs or for some of so many, while less than `level` waits. */
  async enqueue({ seconds, atOnce, everyMs = 0, pairs = null, level = Infinity }) {
    let count = 0;
    let isFull = false;
    const end = performance.now() + seconds * 1_000;
    const look = async () => {
      for (; performance.now() < end; await delay(LOOK_MS)) isFull = (await outbox.counts(db)).waiting >= level;
    };
    const loop = async () => {
      while (performance.now() < end) {
        if (isFull) {
          await delay(LOOK_MS);
          continue;
        }
        const pairKey = Buffer.from(pairs === null ? randomUUID() : `churn${randomInt(pairs)}`);
        const entry = { pairKey, destinationKey: pairKey, network: 'email', kind: KIND, ref: randomUUID() };
        await db.transaction((tx) =>
          outbox.enqueue(tx, { ...entry, expiresInSeconds: 86_400, noticeInSeconds: 3_600 }),
        );
        count += 1;
        if (everyMs > 0) await delay(everyMs + Math.random() * NOW_AND_THEN_MS);
      }
    };
    await Promise.all([...Array.from({ length: atOnce }, loop), ...(level < Infinity ? [look()] : [])]);
    return count;
  },
};

serve(start, ({ question, ...options }) => answers[question](options));
