import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EthAddress } from '../../common/ids.js';
import { StorageUnavailableError } from '../../storage/errors.js';
import { addressBytes } from '../addresses.js';
import { OfferedChannels, type NotificationChannel } from './channel.js';
import { NotificationChannelStore } from './channel.store.js';
import { notificationCodeStore } from './code.store.js';
import { RecipientInvalidError } from './errors.js';
import { NotificationSettings } from './notification-settings.js';
import { OneTimeCodes } from './one-time-codes.js';

const [ANN, BEN] = ['a', 'b'].map((digit) => `0x${digit.repeat(40)}` as EthAddress) as [EthAddress, EthAddress];
const MAILBOX = 'ann@example.org';

let storage: TestStorage;
let settings: NotificationSettings;
/** Codes as their recipients got them, oldest first. */
const sent: { to: string; code: string; id: string }[] = [];
let refusal: Error | null;

const mail: NotificationChannel = {
  type: 'EMAIL',
  publicConfig: {},
  parseRecipient: (value) => {
    if (typeof value === 'string' && value.includes('@')) return value;
    throw new RecipientInvalidError({ reason: 'no mailbox' });
  },
  sendCode: async (to, id, code) => {
    if (refusal) throw refusal;
    sent.push({ to, code, id });
  },
  notify: async () => {},
};
const push: NotificationChannel = {
  type: 'PUSH',
  publicConfig: {},
  parseRecipient: String,
  notify: async () => {},
};

beforeAll(async () => {
  storage = await openTestStorage('notification_settings');
  settings = settingsWith([mail, push]);
});
beforeEach(async () => {
  sent.length = 0;
  refusal = null;
  await storage.db.query('TRUNCATE account, notification_channel, notification_code CASCADE');
  for (const account of [ANN, BEN]) {
    await storage.db.query(`INSERT INTO account (address, profile) VALUES ($1, '{}')`, [addressBytes(account)]);
    await settings.setOn(account, true);
  }
});
afterAll(() => storage.close());

function settingsWith(channels: readonly NotificationChannel[]): NotificationSettings {
  const { db, sealer } = storage;
  const store = new NotificationChannelStore(sealer);
  return new NotificationSettings({
    db,
    sealer,
    store,
    offered: new OfferedChannels(channels),
    codes: new OneTimeCodes(sealer),
  });
}

/** As if the codes so far had been sent longer ago. */
const timePasses = (seconds: number) =>
  storage.db.query('UPDATE notification_code SET sent_at = sent_at - make_interval(secs => $1)', [seconds]);
const lastCode = () => sent.at(-1)!.code;
const wrong = (code: string) => String(Number(code) === 99_999 ? 10_000 : Number(code) + 1);
const channel = (type: string, recipient: string, facts: { isEnabled?: boolean; isVerified: boolean }) => ({
  type,
  recipient,
  isEnabled: true,
  ...facts,
});
const changesBy = (account: EthAddress) => [
  () => settings.remove(account, 'PUSH'),
  () => settings.setEnabled(account, 'PUSH', true),
  () => settings.resendCode(account, 'EMAIL'),
  () => settings.verify(account, 'EMAIL', '12345'),
];
const refused = (code: string) => expect.objectContaining({ code });

describe('the channels of an account', () => {
  it('are set up only once notifications are on, and hidden while they are off', async () => {
    await settings.setOn(ANN, false);
    await expect(settings.add(ANN, 'PUSH', 'x')).rejects.toEqual(refused('NOTIFICATIONS_OFF'));
    await settings.setOn(ANN, true);
    await settings.add(ANN, 'PUSH', 'x');
    await settings.setOn(ANN, false);
    expect(await settings.channels(ANN)).toEqual([]);
    for (const change of changesBy(ANN)) await expect(change()).rejects.toEqual(refused('NOTIFICATIONS_OFF'));
    await settings.setOn(ANN, true);
    expect(await settings.channels(ANN)).toEqual([channel('PUSH', 'x', { isVerified: true })]);
  });

  it('are of each type one, switched and removed by themselves', async () => {
    await settings.add(ANN, 'PUSH', 'first');
    await settings.add(ANN, 'PUSH', 'second');
    await settings.add(ANN, 'EMAIL', MAILBOX);
    await settings.setEnabled(ANN, 'PUSH', false);
    expect(await settings.channels(ANN)).toEqual([
      channel('EMAIL', MAILBOX, { isVerified: false }),
      channel('PUSH', 'second', { isVerified: true, isEnabled: false }),
    ]);
    await settings.remove(ANN, 'EMAIL');
    expect(await settings.channels(ANN)).toHaveLength(1);
    expect(await settings.channels(BEN)).toEqual([]);
  });

  it('are not those of somebody who has none', async () => {
    await settings.add(ANN, 'PUSH', 'x');
    for (const change of changesBy(BEN)) await expect(change()).rejects.toThrow('is not configured');
  });

  it('are of the types offered here, with a recipient of that type', async () => {
    const pushOnly = settingsWith([push]);
    await expect(pushOnly.add(ANN, 'EMAIL', MAILBOX)).rejects.toEqual(refused('CHANNEL_NOT_OFFERED'));
    await expect(settings.add(ANN, 'EMAIL', 'nowhere')).rejects.toEqual(refused('RECIPIENT_INVALID'));
    expect(await settings.channels(ANN)).toEqual([]);
  });
});

describe('a code', () => {
  it('has five digits, goes to the recipient, and proves it once', async () => {
    await settings.add(ANN, 'EMAIL', MAILBOX);
    expect(sent).toEqual([
      { to: MAILBOX, code: expect.stringMatching(/^[1-9]\d{4}$/), id: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ]);
    await settings.verify(ANN, 'EMAIL', lastCode());
    expect(await settings.channels(ANN)).toEqual([channel('EMAIL', MAILBOX, { isVerified: true })]);
    await expect(settings.verify(ANN, 'EMAIL', lastCode())).rejects.toThrow('is already verified');
    await expect(settings.resendCode(ANN, 'EMAIL')).rejects.toThrow('is already verified');
  });

  it('is kept as a keyed hash only', async () => {
    await settings.add(ANN, 'EMAIL', MAILBOX);
    const rows = await storage.db.query('SELECT * FROM notification_code');
    expect(JSON.stringify(rows)).not.toContain(lastCode());
    expect(JSON.stringify(rows)).not.toContain(Buffer.from(lastCode()).toJSON().data.join());
  });

  it('may be missed four times, and after the fifth time is no good', async () => {
    await settings.add(ANN, 'EMAIL', MAILBOX);
    for (let miss = 0; miss < 4; miss += 1) {
      await expect(settings.verify(ANN, 'EMAIL', wrong(lastCode()))).rejects.toThrow('Invalid OTP');
    }
    await settings.verify(ANN, 'EMAIL', lastCode());
    await settings.add(BEN, 'EMAIL', 'ben@example.org');
    const guesses = Array.from({ length: 20 }, () => settings.verify(BEN, 'EMAIL', wrong(lastCode())));
    const answers = (await Promise.allSettled(guesses)).map((guess) => (guess as PromiseRejectedResult).reason.message);
    expect(answers.filter((text) => text === 'Invalid OTP.')).toHaveLength(5);
    await expect(settings.verify(BEN, 'EMAIL', lastCode())).rejects.toThrow('Too many wrong OTPs');
  });

  it('is good for ten minutes', async () => {
    await settings.add(ANN, 'EMAIL', MAILBOX);
    await timePasses(601);
    await expect(settings.verify(ANN, 'EMAIL', lastCode())).rejects.toThrow('expired');
  });

  it('is followed by another after a minute, which is then the only good one', async () => {
    await settings.add(ANN, 'EMAIL', MAILBOX);
    const first = lastCode();
    await timePasses(50);
    const other = () => settings.add(ANN, 'EMAIL', 'other@example.org');
    for (const tooSoon of [() => settings.resendCode(ANN, 'EMAIL'), other]) {
      await expect(tooSoon()).rejects.toMatchObject({ code: 'OTP_TOO_SOON', facts: { retryAfterSeconds: 10 } });
    }
    expect(await settings.channels(ANN)).toEqual([channel('EMAIL', MAILBOX, { isVerified: false })]);
    await timePasses(10);
    await settings.resendCode(ANN, 'EMAIL');
    expect(sent).toHaveLength(2);
    if (first !== lastCode()) await expect(settings.verify(ANN, 'EMAIL', first)).rejects.toThrow('Invalid OTP');
    await settings.verify(ANN, 'EMAIL', lastCode());
  });

  it('is not to be had sooner by beginning anew', async () => {
    await settings.add(ANN, 'EMAIL', MAILBOX);
    await settings.remove(ANN, 'EMAIL');
    await expect(settings.add(ANN, 'EMAIL', MAILBOX)).rejects.toEqual(refused('OTP_TOO_SOON'));
  });

  it('proves no other address than the one it went to', async () => {
    await settings.add(ANN, 'EMAIL', MAILBOX);
    const store = new NotificationChannelStore(storage.sealer);
    const other = { type: 'EMAIL', recipient: 'victim@example.org', isVerified: false } as const;
    await storage.db.transaction((tx) => store.put(tx, ANN, other));
    await expect(settings.verify(ANN, 'EMAIL', lastCode())).rejects.toThrow('Invalid OTP');
  });

  it('is not sent for a channel that is switched off', async () => {
    await settings.add(ANN, 'EMAIL', MAILBOX);
    await settings.setEnabled(ANN, 'EMAIL', false);
    await timePasses(61);
    await expect(settings.resendCode(ANN, 'EMAIL')).rejects.toThrow('is not enabled');
    await expect(settings.verify(ANN, 'EMAIL', lastCode())).rejects.toThrow('is not enabled');
  });

  it('is one of ten a day for an account, and of five for a mailbox, whatever its tag', async () => {
    for (let count = 0; count < 10; count += 1) {
      await settings.add(ANN, 'EMAIL', `ann${count}@example.org`);
      await timePasses(60);
    }
    await expect(settings.add(ANN, 'EMAIL', 'ann10@example.org')).rejects.toMatchObject({
      facts: { retryAfterSeconds: 86_400 - 600 },
    });
    await timePasses(86_400);
    for (let count = 0; count < 5; count += 1) {
      await settings.add([ANN, BEN][count % 2]!, 'EMAIL', `Victim+${count}@example.org`);
      await timePasses(60);
    }
    await expect(settings.add(ANN, 'EMAIL', 'victim@example.org')).rejects.toEqual(refused('OTP_TOO_SOON'));
    await settings.add(ANN, 'EMAIL', 'other@example.org');
  });

  it.each([
    [true, 'OTP_NOT_SENT', 'unavailable'],
    [false, 'OTP_NOT_SENT', 'invalid-input'],
  ])('that does not get there is said to be lost, and another may be asked for', async (retryable, code, kind) => {
    refusal = new StorageUnavailableError({ cause: null });
    if (!retryable) refusal = new RecipientInvalidError({ reason: 'no such mailbox' });
    await expect(settings.add(ANN, 'EMAIL', MAILBOX)).rejects.toMatchObject({ code, kind, retryable });
    refusal = null;
    await timePasses(60);
    await settings.resendCode(ANN, 'EMAIL');
    await settings.verify(ANN, 'EMAIL', lastCode());
  });

  it('is forgotten after a day', async () => {
    await settings.add(ANN, 'EMAIL', MAILBOX);
    await timePasses(86_300);
    expect(await notificationCodeStore.purge(storage.db, 10)).toBe(0);
    await timePasses(200);
    await expect(settings.verify(ANN, 'EMAIL', lastCode())).rejects.toThrow('expired');
    expect(await notificationCodeStore.purge(storage.db, 10)).toBe(1);
    await expect(settings.verify(ANN, 'EMAIL', lastCode())).rejects.toThrow('not found');
  });
});
