import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import { silentLog } from '../../ops/event-log.js';
import { StorageUnavailableError } from '../../storage/errors.js';
import { trafficCsv } from './csv.js';
import { Traffic } from './traffic.js';
import { trafficStore } from './traffic.store.js';

const HOUR = 3_600;
/** On the hour, so that a test knows where its intervals begin. */
const NOON = 1_680_350_400;
const metrics = { intervalSeconds: HOUR, retentionSeconds: 3 * HOUR };

let storage: TestStorage;
let seconds: number;
beforeAll(async () => void (storage = await openTestStorage('traffic')));
beforeEach(async () => {
  seconds = NOON + 60;
  await storage.db.query('TRUNCATE traffic');
});
afterAll(() => storage.close());

/** Another one is another process. */
function traffic(): Traffic {
  const clock = { now: () => seconds * 1_000 };
  return new Traffic({ db: storage.db, clock, metrics, log: silentLog });
}

describe('Traffic', () => {
  it('shows an interval when it is over and every process has had time to write its share down', async () => {
    const [one, other] = [traffic(), traffic()];
    one.count({ messages: 1, bytes: 500 });
    one.count({ messages: 1, bytes: 700 });
    one.count({ notifications: 1 });
    other.count({ messages: 1, bytes: 30 });
    await Promise.all([one.flush(), other.flush()]);
    for (const early of [NOON + 60, NOON + HOUR - 1, NOON + HOUR + 5]) {
      seconds = early;
      expect(await one.finished()).toEqual([]);
    }
    seconds = NOON + HOUR + 10;
    expect(await one.finished()).toEqual([{ start: NOON, messages: 3, bytes: 1_230, notifications: 1 }]);
  });

  it('writes each interval to its own row, oldest first, and nothing twice', async () => {
    const counting = traffic();
    counting.count({ messages: 1, bytes: 1 });
    seconds += HOUR;
    counting.count({ messages: 1, bytes: 2 });
    await counting.flush();
    await counting.flush();
    counting.count({ messages: 1, bytes: 3 });
    await counting.stop();
    seconds += HOUR;
    expect(await counting.finished()).toEqual([
      { start: NOON, messages: 1, bytes: 1, notifications: 0 },
      { start: NOON + HOUR, messages: 2, bytes: 5, notifications: 0 },
    ]);
  });

  it('keeps what it cannot write down now', async () => {
    const counting = traffic();
    counting.count({ messages: 1, bytes: 1 });
    const down = new StorageUnavailableError({ cause: new Error('down') });
    const query = jest.spyOn(storage.db, 'query').mockRejectedValueOnce(down);
    await counting.flush();
    query.mockRestore();
    counting.count({ messages: 1, bytes: 2 });
    await counting.flush();
    seconds += 2 * HOUR;
    expect(await counting.finished()).toMatchObject([{ messages: 2, bytes: 3 }]);
  });

  it('does not show what is older than the retention', async () => {
    const counting = traffic();
    counting.count({ messages: 1 });
    await counting.flush();
    seconds = NOON + 3 * HOUR;
    expect(await counting.finished()).toHaveLength(1);
    seconds += 1;
    expect(await counting.finished()).toEqual([]);
  });

  it('is forgotten in steps', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const intervals = [10, 5, 4, 1].map((hours) => now - hours * HOUR);
    const counts = { messages: 1, bytes: 1, notifications: 0 };
    await trafficStore.add(
      storage.db,
      intervals.map((start) => ({ ...counts, start })),
    );
    expect(await trafficStore.purge(storage.db, 3 * HOUR, 2)).toBe(2);
    expect(await trafficStore.purge(storage.db, 3 * HOUR, 2)).toBe(1);
    const left = await trafficStore.between(storage.db, 0, now);
    expect(left.map(({ start }) => start)).toEqual([now - HOUR]);
  });
});

it('is published as the CSV that the reference service answers', () => {
  const row = { start: NOON, messages: 2, bytes: 1_200, notifications: 1 };
  expect(trafficCsv([row, { ...row, start: NOON + HOUR }], HOUR)).toBe(
    `timestampStart,durationSeconds,messageCount,messageSizeBytes,notificationCount
1680350400,3600,2,1200,1
1680354000,3600,2,1200,1
`,
  );
});
