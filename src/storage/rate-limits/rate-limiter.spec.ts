import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import { RateLimiter } from './rate-limiter.js';
import { rateWindowStore } from './rate-window.store.js';

const START = 1_790_000_040_000; // the beginning of a minute

let storage: TestStorage;
let now: number;
beforeAll(async () => void (storage = await openTestStorage('rates')));
beforeEach(async () => {
  now = START;
  await storage.db.query('TRUNCATE rate_window');
});
afterAll(() => storage.close());

/** Another one is what another process has. */
function limiter(limit: number, what = 'requests'): RateLimiter {
  const { db, sealer } = storage;
  return new RateLimiter({ db, sealer, clock: { now: () => now }, what, limit });
}

/** How often it succeeds before it is refused. */
async function exhaust(rates: RateLimiter, subject = 'alice'): Promise<number> {
  for (let times = 0; ; times += 1) {
    try {
      await rates.take(subject);
    } catch (error) {
      expect(error).toMatchObject({ code: 'RATE_LIMITED', kind: 'limit-exceeded', retryable: true });
      return times;
    }
  }
}

async function whileCountingQueries<T>(work: () => Promise<T>): Promise<{ result: T; queries: number }> {
  const query = jest.spyOn(storage.db, 'query');
  const result = await work();
  const queries = query.mock.calls.length;
  query.mockRestore();
  return { result, queries };
}

describe('RateLimiter', () => {
  it.each([1, 2, 3, 10, 99, 1_000])('lets one process take exactly %i', async (limit) => {
    expect(await exhaust(limiter(limit))).toBe(limit);
  });

  it('takes exactly as many when they come all at once', async () => {
    const rates = limiter(25);
    const takes = await Promise.allSettled(Array.from({ length: 60 }, () => rates.take('alice')));
    expect(takes.filter(({ status }) => status === 'fulfilled')).toHaveLength(25);
  });

  it('counts several at once, and takes all of them or none', async () => {
    const rates = limiter(10);
    await rates.take('alice', 7);
    await expect(rates.take('alice', 4)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await rates.take('alice', 3);
    await expect(rates.take('alice')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await expect(limiter(10).take('bob', 11)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('says how long to wait, and begins anew with the next minute', async () => {
    const rates = limiter(2);
    now += 17_500;
    await exhaust(rates);
    await expect(rates.take('alice')).rejects.toMatchObject({ facts: { retryAfterSeconds: 43 } });
    await expect(rates.take('alice')).rejects.toThrow(
      'More than 2 requests in a minute are not taken. Try again in 43 seconds.',
    );
    now = START + 60_000;
    expect(await exhaust(rates)).toBe(2);
  });

  it('counts by the hour where it is told to', async () => {
    const { db, sealer } = storage;
    const rates = new RateLimiter({ db, sealer, clock: { now: () => now }, what: 'chats', limit: 2, per: 'hour' });
    const beginning = Math.floor(START / 3_600_000) * 3_600_000;
    now = beginning + 59 * 60_000;
    expect(await exhaust(rates)).toBe(2);
    await expect(rates.take('alice')).rejects.toThrow(
      'More than 2 chats in an hour are not taken. Try again in 60 seconds.',
    );
    now = beginning + 60 * 60_000;
    expect(await exhaust(rates)).toBe(2);
  });

  it('counts each subject, and each kind of thing, by itself', async () => {
    const rates = limiter(2);
    await exhaust(rates, 'alice');
    expect(await exhaust(rates, 'bob')).toBe(2);
    expect(await exhaust(limiter(2, 'messages'), 'alice')).toBe(2);
  });

  it('asks the database nothing while the limit is far, and nothing once it is reached', async () => {
    const rates = limiter(1_000);
    const far = await whileCountingQueries(async () => {
      for (let times = 0; times < 99; times += 1) await rates.take('alice');
    });
    expect(far.queries).toBe(0);
    const near = await whileCountingQueries(() => exhaust(rates));
    expect(near.queries).toBeLessThan(80);
    const over = await whileCountingQueries(() => Promise.allSettled([rates.take('alice'), rates.take('alice')]));
    expect(over.queries).toBe(0);
  });

  it('adds up what several processes take, up to a small excess', async () => {
    const processes = [limiter(100), limiter(100), limiter(100)];
    let taken = 0;
    for (let round = 0; round < 100; round += 1) {
      const takes = await Promise.allSettled(processes.map((rates) => rates.take('alice')));
      taken += takes.filter(({ status }) => status === 'fulfilled').length;
    }
    expect(taken).toBeGreaterThanOrEqual(100);
    expect(taken).toBeLessThanOrEqual(120);
  });

  it('keeps no name', async () => {
    await exhaust(limiter(1), '203.0.113.77');
    const rows = await storage.db.query<{ subject_key: Buffer }>('SELECT subject_key FROM rate_window');
    expect(rows).toHaveLength(1);
    expect(rows[0]!.subject_key.includes('203.0.113.77')).toBe(false);
  });
});

describe('a process whose clock is behind', () => {
  it('counts into the minute that has begun elsewhere', async () => {
    const key = Buffer.from('subject');
    expect(await rateWindowStore.add(storage.db, key, START, 3)).toBe(3);
    expect(await rateWindowStore.add(storage.db, key, START + 60_000, 2)).toBe(2);
    expect(await rateWindowStore.add(storage.db, key, START, 4)).toBe(6);
    expect(await rateWindowStore.add(storage.db, key, START + 60_000, 1)).toBe(7);
  });
});

describe('old windows', () => {
  it('are removed, so many at a time', async () => {
    const day = 86_400_000;
    for (const index of [1, 2, 3]) await rateWindowStore.add(storage.db, Buffer.from([index]), Date.now() - 2 * day, 1);
    await rateWindowStore.add(storage.db, Buffer.from('now'), Date.now(), 1);
    expect(await rateWindowStore.purge(storage.db, 2)).toBe(2);
    expect(await rateWindowStore.purge(storage.db, 2)).toBe(1);
    expect(await storage.db.query('SELECT 1 FROM rate_window')).toHaveLength(1);
  });
});
