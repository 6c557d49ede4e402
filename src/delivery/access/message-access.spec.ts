import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { Hash } from '../../common/ids.js';
import { createNobleProvider } from '../../protocol/crypto/noble.js';
import { encryptedMessageHash } from '../../protocol/envelope/envelope.js';
import { MailboxStore, type MailboxEntry } from '../mailbox/mailbox.store.js';
import { DeviceStore } from './device.store.js';
import { MessageAccess } from './message-access.js';
import { PageCursors } from './page-cursor.js';

const crypto = createNobleProvider();
const [ALICE, BOB, CAROL] = [addressOf('a'), addressOf('b'), addressOf('c')];
const quota = { freed: jest.fn() };
const hashOf = (text: string) => encryptedMessageHash(crypto, text);

let storage: TestStorage;
let mailbox: MailboxStore;
let devices: DeviceStore;
beforeAll(async () => {
  storage = await openTestStorage('messages');
  mailbox = new MailboxStore(storage.sealer);
  devices = new DeviceStore(storage.sealer);
});
beforeEach(async () => {
  quota.freed.mockClear();
  await storage.db.query('TRUNCATE mailbox, mailbox_device CASCADE');
});
afterAll(() => storage.close());

function accessWith({ deviceCursors }: { deviceCursors: boolean }): MessageAccess {
  const { db, sealer } = storage;
  const cursors = new PageCursors(sealer);
  return new MessageAccess({ crypto, db, mailbox, devices, cursors, quota: quota as never, deviceCursors });
}

async function arrive(text: string, changes: Partial<MailboxEntry> = {}): Promise<void> {
  const metadata = { deliveryInformation: { to: 'bob.eth', from: 'alice.eth' }, signature: '' };
  await mailbox.addOnce(
    storage.db,
    randomUUID(),
    {
      receiver: BOB,
      sender: ALICE,
      messageHash: null,
      encryptedMessageHash: hashOf(text),
      envelope: { message: text, metadata, postmark: '' },
      size: 1,
      verdict: 'verified',
      postmarkedAt: 0,
      ...changes,
    },
    randomBytes(32),
  );
}

const plain = () => accessWith({ deviceCursors: false });
const perDevice = () => accessWith({ deviceCursors: true });
const see = async (access: MessageAccess, device?: string) =>
  (await access.read(BOB, { limit: 100, device })).envelopes.map(({ message }) => message);
const acknowledge = (access: MessageAccess, texts: string[], device?: string) =>
  access.acknowledge(BOB, { hashes: texts.map(hashOf), arrivals: [] }, device);
const stored = async () => (await mailbox.weigh(storage.db, BOB)).messages;
const away = (days: number) =>
  storage.db.query('UPDATE mailbox_device SET seen_at = now() - make_interval(days => $1)', [days]);

describe('reading a mailbox', () => {
  it('page by page brings everything once, newest first', async () => {
    for (let n = 1; n <= 7; n += 1) await arrive(`${n}`);
    const seen: string[] = [];
    let next: string | null | undefined;
    while (next !== null) {
      const page = await plain().read(BOB, { limit: 3, since: next ?? undefined });
      expect(page.envelopes.length).toBeLessThanOrEqual(3);
      seen.push(...page.envelopes.map(({ message }) => message));
      next = page.next;
    }
    expect(seen).toEqual(['7', '6', '5', '4', '3', '2', '1']);
  });

  it('is not led astray by another mailbox’s cursor', async () => {
    for (const receiver of [BOB, CAROL]) for (const text of ['1', '2']) await arrive(text, { receiver });
    const { next } = await plain().read(CAROL, { limit: 1 });
    await expect(plain().read(BOB, { limit: 1, since: next! })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });

  it('says whose sender could not be verified, by the hash that the envelope has', async () => {
    const known = `0x${'12'.repeat(32)}` as Hash;
    const metadata = { deliveryInformation: { to: '', from: '' }, signature: '', messageHash: known };
    await arrive('verified');
    await arrive('without a hash', { verdict: 'unverified' });
    await arrive('with one', { verdict: 'unverified', envelope: { message: 'with one', metadata, postmark: '' } });
    const { unverified } = await plain().read(BOB, { limit: 10 });
    expect(unverified).toEqual([known, hashOf('without a hash')]);
  });
});

describe('acknowledging', () => {
  it('counts what it removed, once, and tells that there is room again', async () => {
    for (const text of ['1', '2']) await arrive(text);
    expect(await acknowledge(plain(), ['1', 'unknown'])).toBe(1);
    expect(await acknowledge(plain(), ['1', 'unknown'])).toBe(0);
    expect(quota.freed.mock.calls).toEqual([[BOB]]);
    expect(await see(plain())).toEqual(['2']);
  });
});

describe('two devices', () => {
  it('share what is read unless told otherwise', async () => {
    await arrive('1');
    expect(await see(plain(), 'phone')).toEqual(['1']);
    expect(await see(plain(), 'desk')).toEqual(['1']);
    await acknowledge(plain(), ['1'], 'phone');
    expect(await see(plain(), 'desk')).toEqual([]);
  });

  it('each read everything where they have cursors, and the last one empties the mailbox', async () => {
    for (const text of ['1', '2']) await arrive(text);
    const access = perDevice();
    for (const device of ['phone', 'desk']) expect(await see(access, device)).toEqual(['2', '1']);
    expect(await acknowledge(access, ['1'], 'phone')).toBe(1);
    expect(await acknowledge(access, ['1'], 'phone')).toBe(0);
    expect(await see(access, 'phone')).toEqual(['2']);
    expect(await see(access, 'desk')).toEqual(['2', '1']);
    await acknowledge(access, ['1', '2'], 'desk');
    expect(await see(access, 'desk')).toEqual([]);
    expect(await see(access, 'phone')).toEqual(['2']);
    expect(await stored()).toBe(1);
  });

  it('leave nothing behind when they read at the same moment', async () => {
    const access = perDevice();
    const texts = Array.from({ length: 20 }, (_, n) => `${n}`);
    for (const text of texts) await arrive(text);
    const names = ['phone', 'desk', 'tablet'];
    for (const device of names) await see(access, device);
    await Promise.all(texts.flatMap((text) => names.map((device) => acknowledge(access, [text], device))));
    expect(await stored()).toBe(0);
    expect(await storage.db.query('SELECT 1 FROM mailbox_acknowledgement')).toEqual([]);
  });

  it('do not keep anything from a client that knows no devices', async () => {
    const access = perDevice();
    await arrive('1');
    await see(access, 'phone');
    await acknowledge(access, ['1']);
    expect(await see(access, 'phone')).toEqual([]);
  });

  it('wait for each other for a month only', async () => {
    const access = perDevice();
    await arrive('1');
    await see(access, 'lost');
    await away(31);
    await see(access, 'phone');
    await acknowledge(access, ['1'], 'phone');
    expect(await stored()).toBe(1);
    expect(await storage.db.transaction((tx) => devices.purge(tx, 10))).toBe(1);
    expect(await stored()).toBe(0);
  });

  it('are still waited for while they come now and then', async () => {
    const access = perDevice();
    await arrive('1');
    await see(access, 'desk');
    await away(29);
    await acknowledge(access, ['1'], 'phone');
    expect(await storage.db.transaction((tx) => devices.purge(tx, 10))).toBe(0);
    expect(await see(access, 'desk')).toEqual(['1']);
  });

  it('are remembered in a bounded number, and by no name', async () => {
    const access = perDevice();
    for (let n = 0; n < 25; n += 1) await see(access, `device-${n}`);
    const rows = await storage.db.query<{ device_key: Buffer }>('SELECT device_key FROM mailbox_device');
    expect(rows).toHaveLength(20);
    expect(rows.some((row) => row.device_key.includes('device'))).toBe(false);
  });
});
