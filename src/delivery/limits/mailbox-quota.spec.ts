import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { addressOf } from '../../../test/support/delivery-world.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { Hash } from '../../common/ids.js';
import { MailboxStore } from '../mailbox/mailbox.store.js';
import { MailboxQuota, type Amount } from './mailbox-quota.js';

const BOB = addressOf('b');
const CAROL = addressOf('c');
const full = { code: 'MAILBOX_FULL', kind: 'limit-exceeded', retryable: true };

let storage: TestStorage;
let mailbox: MailboxStore;
let now: number;
beforeAll(async () => {
  storage = await openTestStorage('quota');
  mailbox = new MailboxStore(storage.sealer);
});
beforeEach(async () => {
  now = 0;
  await storage.db.query('TRUNCATE mailbox CASCADE');
});
afterAll(() => storage.close());

/** Another one is what another process has. */
const quotaOf = (quota: Partial<Amount>) =>
  new MailboxQuota({
    clock: { now: () => now },
    mailbox,
    quota: { messages: 1_000_000, bytes: 1_000_000_000, ...quota },
  });

/** Puts a message into a mailbox as a submission does; its hash is `digits`. */
function deposit(quota: MailboxQuota, { bytes = 1, receiver = BOB, digits = '0', fails = false } = {}): Promise<void> {
  return quota.hold(receiver, bytes, (claim) =>
    storage.db.transaction(async (tx) => {
      await claim(tx);
      const entry = {
        receiver,
        sender: 'alice.eth',
        messageHash: null,
        encryptedMessageHash: hashOf(digits),
        envelope: {
          message: '',
          metadata: { deliveryInformation: { to: '', from: '' }, signature: '' },
          postmark: '',
        },
        size: bytes,
        verdict: 'verified' as const,
        postmarkedAt: 0,
      };
      await mailbox.addOnce(tx, randomUUID(), entry, randomBytes(32));
      if (fails) throw new Error('the commit fails');
    }),
  );
}

const hashOf = (digits: string) => `0x${digits.padStart(64, '0')}` as Hash;
const take = async (...digits: string[]) =>
  mailbox.acknowledge(storage.db, BOB, { hashes: digits.map(hashOf), arrivals: [] });
const weight = async () => (await mailbox.weigh(storage.db, BOB)).messages;

describe('MailboxQuota', () => {
  it.each([1, 3, 10, 42])('lets exactly %i messages wait', async (messages) => {
    const quota = quotaOf({ messages });
    for (let count = 0; count < messages; count += 1) await deposit(quota);
    await expect(deposit(quota)).rejects.toMatchObject(full);
    await expect(deposit(quota)).rejects.toThrow(`The receiver's mailbox is full: it holds ${messages} messages`);
    await deposit(quota, { receiver: CAROL });
    expect(await weight()).toBe(messages);
  });

  it('lets so many bytes wait, and a small message go where a large one does not', async () => {
    const quota = quotaOf({ bytes: 100 });
    await deposit(quota, { bytes: 60 });
    await expect(deposit(quota, { bytes: 41 })).rejects.toMatchObject(full);
    await deposit(quota, { bytes: 40 });
    await expect(deposit(quota, { bytes: 1 })).rejects.toMatchObject(full);
  });

  it('lets in no more when they come all at once, and the rest of the room is there a moment later', async () => {
    const quota = quotaOf({ messages: 20 });
    await Promise.allSettled(Array.from({ length: 50 }, () => deposit(quota)));
    expect(await weight()).toBeLessThanOrEqual(20);
    now += 1_000;
    for (let count = await weight(); count < 20; count += 1) await deposit(quota);
    await expect(deposit(quota)).rejects.toMatchObject(full);
  });

  it('sees at once that something was taken out, where it is told, and a second later where not', async () => {
    const quota = quotaOf({ messages: 2 });
    await deposit(quota, { digits: '1' });
    await deposit(quota, { digits: '2' });
    await expect(deposit(quota)).rejects.toMatchObject(full);
    await take('1');
    await expect(deposit(quota)).rejects.toMatchObject(full);
    quota.freed(BOB);
    await deposit(quota, { digits: '3' });
    await expect(deposit(quota)).rejects.toMatchObject(full);
    await take('2');
    now += 1_000;
    await deposit(quota);
  });

  it('does not count what was rolled back', async () => {
    const quota = quotaOf({ messages: 2 });
    for (let times = 0; times < 5; times += 1) {
      await expect(deposit(quota, { fails: true })).rejects.toThrow('the commit fails');
    }
    await deposit(quota);
    await deposit(quota);
    await expect(deposit(quota)).rejects.toMatchObject(full);
  });

  it('weighs a mailbox once while it is far from full, and a full one once a second', async () => {
    const weigh = jest.spyOn(mailbox, 'weigh');
    const quota = quotaOf({ messages: 200 });
    for (let times = 0; times < 20; times += 1) await deposit(quota);
    expect(weigh).toHaveBeenCalledTimes(1);
    for (let times = 20; times < 200; times += 1) await deposit(quota);
    expect(weigh.mock.calls.length).toBeLessThan(80);
    weigh.mockClear();
    for (let times = 0; times < 20; times += 1) await expect(deposit(quota)).rejects.toMatchObject(full);
    expect(weigh).toHaveBeenCalledTimes(1);
    weigh.mockRestore();
  });

  it('asks nothing for what claims no room', async () => {
    const weigh = jest.spyOn(mailbox, 'weigh');
    await expect(quotaOf({ messages: 1 }).hold(BOB, 1, async () => 'a repeat')).resolves.toBe('a repeat');
    expect(weigh).not.toHaveBeenCalled();
    weigh.mockRestore();
  });

  it('knows what lay there before the process began, and what others put there, within a tenth', async () => {
    const [one, two] = [quotaOf({ messages: 100 }), quotaOf({ messages: 100 })];
    for (let times = 0; times < 100; times += 1) await Promise.allSettled([deposit(one), deposit(two)]);
    expect(await weight()).toBeGreaterThanOrEqual(100);
    expect(await weight()).toBeLessThanOrEqual(110);
    await expect(deposit(quotaOf({ messages: 100 }))).rejects.toMatchObject(full);
  });
});
