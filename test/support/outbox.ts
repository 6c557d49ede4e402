import { randomUUID } from 'node:crypto';
import { silentLog } from '../../src/ops/event-log.js';
import type { Claim, ItemHandler } from '../../src/outbox/item-handler.js';
import type { OutboxWorkerOptions } from '../../src/outbox/outbox-worker.js';
import { OutboxWorker } from '../../src/outbox/outbox-worker.js';
import { Outbox, type OutboxEntry } from '../../src/outbox/outbox.js';
import type { Database, Tx } from '../../src/storage/database.js';

const KIND = 'test';
const DEADLINE_MS = 45_000;
const LOOK_AGAIN_MS = 5;

/** A message of the pair `alice` that lives for an hour. */
export function outboxEntry(overrides: Partial<OutboxEntry> & { pair?: string } = {}): OutboxEntry {
  const { pair = 'alice', ...rest } = overrides;
  const pairKey = Buffer.from(pair);
  return {
    pairKey,
    network: 'email',
    destinationKey: pairKey,
    kind: KIND,
    ref: randomUUID(),
    expiresInSeconds: 3_600,
    ...rest,
  };
}

/** Enqueues in a transaction of its own; the ref. */
export async function enqueue(db: Database, entry: OutboxEntry = outboxEntry()): Promise<string> {
  await db.transaction((tx: Tx) => new Outbox(db.schema).enqueue(tx, entry));
  return entry.ref;
}

export interface TestWorkerOptions extends Partial<OutboxWorkerOptions> {
  readonly db: Database;
  readonly handle: ItemHandler['handle'];
  readonly fail?: ItemHandler['fail'];
  readonly delayed?: ItemHandler['delayed'];
}

/** A started worker that polls and retries at once, unless told otherwise. */
export async function startWorker({
  handle,
  fail = async () => {},
  delayed,
  ...options
}: TestWorkerOptions): Promise<OutboxWorker> {
  const worker = new OutboxWorker({
    outbox: new Outbox(options.db.schema),
    handlers: new Map([[KIND, { handle, fail, delayed }]]),
    policyOf: () => ({ firstSeconds: 0.001, factor: 1, maxSeconds: 0.001, jitter: 0 }),
    concurrency: 8,
    caps: { byNetwork: {}, others: 8 },
    leaseSeconds: 30,
    pollSeconds: 0.02,
    log: silentLog,
    ...options,
  });
  await worker.start();
  return worker;
}

/** Handles its first claim only when released, everything later at once; `begun` resolves with that first claim. */
export function pausingHandler(): { handle: ItemHandler['handle']; begun: Promise<Claim>; release: () => void } {
  let begin: (claim: Claim) => void;
  let release!: () => void;
  const begun = new Promise<Claim>((resolve) => (begin = resolve));
  const released = new Promise<void>((resolve) => (release = resolve));
  const handle = async (claim: Claim) => {
    begin(claim);
    await released;
  };
  return { handle, begun, release };
}

export async function untilEmpty(db: Database): Promise<void> {
  await until(async () => (await new Outbox(db.schema).counts(db)).waiting === 0, 'an empty queue');
}

/** Waits for a state. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Waited ${DEADLINE_MS} ms in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
