import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EthAddress } from '../../common/ids.js';
import { FetchFailedError, FetchRefusedError } from '../../naming/errors.js';
import { silentLog } from '../../ops/event-log.js';
import { addressBytes } from '../addresses.js';
import { OfferedChannels } from './channel.js';
import { NotificationChannelStore } from './channel.store.js';
import { RecipientGoneError } from './errors.js';
import { Notifier } from './notifier.js';

const [ANN, BEN] = ['a', 'b'].map((digit) => `0x${digit.repeat(40)}` as EthAddress) as [EthAddress, EthAddress];

let storage: TestStorage;
let store: NotificationChannelStore;
const count = jest.fn();
/** Whom it told, in order. */
const told: string[] = [];
const ids: string[] = [];
/** How far the clock is ahead. */
let aheadMs = 0;
let onNotify: (recipient: string) => Promise<void>;
const notifiers: Notifier[] = [];

const channel = {
  type: 'PUSH' as const,
  publicConfig: {},
  parseRecipient: String,
  notify: async (recipient: string, id: string) => {
    ids.push(id);
    await onNotify(recipient);
    told.push(recipient);
  },
};

beforeAll(async () => {
  storage = await openTestStorage('notifier');
  store = new NotificationChannelStore(storage.sealer);
});
beforeEach(async () => {
  for (const list of [told, ids]) list.length = 0;
  onNotify = async () => {};
  count.mockClear();
  await storage.db.query('TRUNCATE account, notification_channel, mailbox CASCADE');
  for (const [account, recipient] of [
    [ANN, 'ann'],
    [BEN, 'ben'],
  ] as const) {
    await storage.db.query(`INSERT INTO account (address, profile) VALUES ($1, '{}')`, [addressBytes(account)]);
    await store.setOn(storage.db, account, true);
    const set = { type: 'PUSH', recipient, isVerified: true } as const;
    await storage.db.transaction((tx) => store.put(tx, account, set));
  }
});
afterEach(() => Promise.all(notifiers.splice(0).map((notifier) => notifier.stop())));
afterAll(() => storage.close());

/** Another one is another process. */
function startNotifier({ delaySeconds = 0, intervalSeconds = 900 } = {}): Notifier {
  const { db, sealer } = storage;
  const notifier = new Notifier({
    db,
    sealer,
    clock: { now: () => Date.now() + aheadMs },
    offered: new OfferedChannels([channel]),
    store,
    traffic: { count },
    pace: { delaySeconds, intervalSeconds },
    log: silentLog,
  });
  notifiers.push(notifier);
  notifier.start();
  return notifier;
}

/** Messages that came together, so long ago. */
async function messages(account: EthAddress, count: number, secondsAgo = 1): Promise<void> {
  const sql = `INSERT INTO mailbox (id, receiver, sender_key, encrypted_key, sealed_envelope, size, verdict, received_at)
    SELECT gen_random_uuid(), $1, '', '', '', 1, 'verified', now() - make_interval(secs => $3) FROM generate_series(1, $2)`;
  await storage.db.query(sql, [addressBytes(account), count, secondsAgo]);
}
const message = (account: EthAddress, secondsAgo?: number) => messages(account, 1, secondsAgo);

async function stateOf(account: EthAddress) {
  const sql = `SELECT attempts, told_position > 0 AS settled, round(extract(epoch FROM next_at - now()))::int AS wait
    FROM notification_channel WHERE account = $1`;
  const [row] = await storage.db.query<{ attempts: number; settled: boolean; wait: number }>(sql, [
    addressBytes(account),
  ]);
  return row;
}

const settled = (account: EthAddress) =>
  eventually('the notification to be settled', async () => {
    const state = await stateOf(account);
    return state?.settled && state;
  });
const isDue = () => storage.db.query('UPDATE notification_channel SET next_at = now()');
/** Whatever would have been told has been: another account is, by a look that began later. */
async function nothingMore(notifier: Notifier): Promise<void> {
  await message(BEN);
  notifier.arrived(BEN);
  await eventually('the other account to be told', async () => told.at(-1) === 'ben');
}

describe('an account with mail', () => {
  it('is told when it comes, once for all that waits', async () => {
    const notifier = startNotifier();
    await messages(ANN, 3);
    notifier.arrived(ANN);
    expect(await settled(ANN)).toEqual({ attempts: 0, settled: true, wait: 900 });
    await isDue();
    notifier.arrived(ANN);
    await nothingMore(notifier);
    expect(told).toEqual(['ann', 'ben']);
    expect(count.mock.calls).toEqual([[{ notifications: 1 }], [{ notifications: 1 }]]);
  });

  it('is told of what comes later, but not before its time', async () => {
    const notifier = startNotifier();
    await message(ANN);
    notifier.arrived(ANN);
    await settled(ANN);
    await message(ANN);
    notifier.arrived(ANN);
    await nothingMore(notifier);
    expect(told).toEqual(['ann', 'ben']);
    await isDue();
    startNotifier(); // whose first sweep finds it
    await eventually('the second notification', async () => told.filter((who) => who === 'ann').length === 2);
    expect(new Set(ids).size).toBe(3);
  });

  it.each([
    ['a socket got it', () => storage.db.query('UPDATE mailbox SET pushed_at = now()')],
    ['a client fetched it', () => storage.db.query('DELETE FROM mailbox')],
    ['notifications are off', () => store.setOn(storage.db, ANN, false)],
    ['the channel is switched off', () => store.setEnabled(storage.db, ANN, 'PUSH', false)],
    ['the channel is gone', () => store.remove(storage.db, ANN, 'PUSH')],
    [
      'the recipient is not verified',
      () => storage.db.query('UPDATE notification_channel SET is_verified = (account <> $1)', [addressBytes(ANN)]),
    ],
    [
      'it waited before the channel was there',
      () => storage.db.transaction((tx) => store.put(tx, ANN, { type: 'PUSH', recipient: 'ann', isVerified: true })),
    ],
  ])('is not told if %s', async (_, happens) => {
    await message(ANN);
    await happens();
    const notifier = startNotifier();
    notifier.arrived(ANN);
    await nothingMore(notifier);
    expect(told).toEqual(['ben']);
  });

  it('has a moment to fetch it', async () => {
    const notifier = startNotifier({ delaySeconds: 1 });
    await message(ANN, 0);
    notifier.arrived(ANN);
    expect(await storage.db.query('SELECT 1 FROM notification_channel WHERE attempts > 0')).toEqual([]);
    await settled(ANN);
    expect(told).toEqual(['ann']);
  });
});

it('what comes right after a message that was fetched is told of all the same', async () => {
  const notifier = startNotifier({ delaySeconds: 1 });
  notifier.arrived(ANN); // and was fetched at once
  await message(ANN, -0.5);
  aheadMs = 600;
  notifier.arrived(ANN);
  aheadMs = 0;
  await settled(ANN);
  expect(told).toEqual(['ann']);
});

describe('a notification', () => {
  it('that nobody was left to send is sent by whoever starts next', async () => {
    await message(ANN);
    startNotifier();
    await settled(ANN);
    expect(told).toEqual(['ann']);
  });

  it('that a process took with it is sent by another when the lease ends, under the same id', async () => {
    await message(ANN);
    onNotify = () => new Promise(() => {});
    const lost = startNotifier();
    await eventually('the notification to be under way', async () => ids.length === 1);
    onNotify = async () => {};
    const other = startNotifier();
    await nothingMore(other);
    expect(told).toEqual(['ben']);
    await storage.db.query('UPDATE notification_channel SET next_at = now() WHERE account = $1', [addressBytes(ANN)]);
    other.arrived(ANN);
    await settled(ANN);
    expect(ids.filter((id) => id === ids[0])).toHaveLength(2);
    notifiers.splice(notifiers.indexOf(lost), 1); // it has nothing left to wait for
    void lost.stop();
  });

  it('is sent by one of many processes', async () => {
    await message(ANN);
    for (const notifier of [startNotifier(), startNotifier(), startNotifier()]) notifier.arrived(ANN);
    await settled(ANN);
    await nothingMore(notifiers[0]!);
    expect(told).toEqual(['ann', 'ben']);
  });

  it('is tried again after a passing failure, later each time', async () => {
    await message(ANN);
    onNotify = () => Promise.reject(new FetchFailedError({ reason: 'its server is away' }));
    const notifier = startNotifier();
    const postponed = (attempts: number) =>
      eventually('the notification to be postponed', async () => {
        const state = await stateOf(ANN);
        return state?.attempts === attempts && state.wait < 250 && state.wait;
      });
    expect(await postponed(1)).toBeGreaterThanOrEqual(24);
    await isDue();
    notifier.arrived(ANN);
    expect(await postponed(2)).toBeGreaterThan(40);
    onNotify = async () => {};
    await isDue();
    notifier.arrived(ANN);
    expect(await settled(ANN)).toMatchObject({ attempts: 0 });
    expect(new Set(ids).size).toBe(1);
    expect(count).toHaveBeenCalledTimes(1);
  });

  it('is given up when it was refused for good, or failed for half a day', async () => {
    await message(ANN);
    await message(BEN);
    await storage.db.query('UPDATE notification_channel SET attempts = 17 WHERE account = $1', [addressBytes(BEN)]);
    onNotify = (who) =>
      Promise.reject(
        who === 'ann' ? new FetchRefusedError({ reason: 'no' }) : new FetchFailedError({ reason: 'away' }),
      );
    startNotifier();
    for (const account of [ANN, BEN]) expect(await settled(account)).toMatchObject({ attempts: 0, wait: 900 });
    expect(count).not.toHaveBeenCalled();
  });

  it('that finds its recipient gone takes the channel along, unless that is another one by now', async () => {
    await message(ANN);
    await message(BEN);
    onNotify = async (who) => {
      if (who === 'new') return;
      const anew = { type: 'PUSH', recipient: 'new', isVerified: true } as const;
      if (who === 'ben') await storage.db.transaction((tx) => store.put(tx, BEN, anew));
      throw new RecipientGoneError();
    };
    const notifier = startNotifier();
    await eventually('the channel to be gone', async () => (await store.all(storage.db, ANN)).length === 0);
    await notifier.stop();
    expect(await store.all(storage.db, BEN)).toMatchObject([{ recipient: 'new' }]);
  });

  it('to somebody slow does not keep others waiting', async () => {
    let answer = (): void => {};
    onNotify = (who) => (who === 'ann' ? new Promise((resolve) => (answer = resolve)) : Promise.resolve());
    await message(ANN);
    const notifier = startNotifier();
    await eventually('the slow one to be under way', async () => ids.length === 1);
    await nothingMore(notifier);
    answer();
    await settled(ANN);
  });
});
