import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { eventually } from '../../../test/support/eventually.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import { silentLog } from '../../ops/event-log.js';
import { ArrivalChannel, type Arrival } from './arrival-channel.js';

const BOB = addressOf('b');
const CAROL = addressOf('c');

let storage: TestStorage;
const heard: Arrival[] = [];
let connects = 0;
let stopListening: () => Promise<void>;
beforeAll(async () => {
  storage = await openTestStorage('arrivals');
  const listener = channel().listener(
    (arrival) => heard.push(arrival),
    () => (connects += 1),
  );
  stopListening = () => listener.stop();
  listener.start();
  await eventually('a listener', async () => connects === 1);
});
afterAll(async () => {
  await stopListening();
  await storage.close();
});

const channel = (log = silentLog) => new ArrivalChannel({ db: storage.db, sealer: storage.sealer, log });

describe('ArrivalChannel', () => {
  it('tells other processes what has come, in order, however much it is', async () => {
    const speaker = channel();
    const ids = Array.from({ length: 250 }, () => randomUUID());
    for (const id of ids) speaker.announce({ id, receiver: BOB });
    await speaker.flushed();
    await eventually('all arrivals', async () => heard.length >= ids.length);
    expect(heard.map(({ id }) => id)).toEqual(ids);
    expect(new Set(heard.map(({ account }) => account))).toEqual(new Set([channel().accountKey(BOB)]));
  });

  it('does not show whom it speaks of', () => {
    const key = channel().accountKey(BOB);
    expect(key).not.toBe(channel().accountKey(CAROL));
    expect(key).not.toContain('bbbb');
    expect(Buffer.from(key, 'base64url').includes(Buffer.alloc(4, 0xbb))).toBe(false);
  });

  it('says so in the log when it cannot, and goes on', async () => {
    const warnings: object[] = [];
    const db = { schema: storage.db.schema, query: () => Promise.reject(new Error('down')) };
    const log = { ...silentLog, warn: (event: string, fields?: object) => void warnings.push({ event, ...fields }) };
    const speaker = new ArrivalChannel({ db: db as never, sealer: storage.sealer, log });
    for (const _ of [1, 2]) speaker.announce({ id: randomUUID(), receiver: BOB });
    await speaker.flushed();
    const failed = { event: 'mailbox.announce-failed', code: 'UNEXPECTED', count: 1 };
    expect(warnings).toEqual([failed, failed]);
  });
});
