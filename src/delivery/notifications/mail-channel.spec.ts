import { beforeEach, describe, expect, it } from '@jest/globals';
import { RecipientInvalidError } from './errors.js';
import { MailChannel } from './mail-channel.js';
import type { NotificationMail } from './mailer.js';

const ID = 'ab'.repeat(32);
const sent: NotificationMail[] = [];
const channel = new MailChannel({
  host: 'gateway.example.org',
  mailer: {
    parseMailbox: (text) => (text === 'Ann@example.org' ? 'Ann@example.org' : null),
    sendNotification: async (mail) => void sent.push(mail),
  },
});
beforeEach(() => void (sent.length = 0));

describe('mail as a channel', () => {
  it('takes what the mailer calls a mailbox', () => {
    expect(channel.parseRecipient('Ann@example.org')).toBe('Ann@example.org');
    for (const value of ['nobody', '', { to: 'Ann@example.org' }]) {
      expect(() => channel.parseRecipient(value)).toThrow(RecipientInvalidError);
    }
  });

  it('brings a code, with how long it is good and what to do if it was not asked for', async () => {
    await channel.sendCode('ann@example.org', ID, '12345');
    expect(sent).toMatchObject([{ id: ID, to: 'ann@example.org', subject: 'Your dm3 verification code' }]);
    expect(sent[0]!.text).toMatch(
      /code is 12345\. It is good for 10 minutes\.\n[^]*gateway\.example\.org[^]*ignore this mail/,
    );
  });

  it('tells of messages without naming anybody, and how to switch it off', async () => {
    await channel.notify('ann@example.org', ID);
    expect(sent).toMatchObject([{ id: ID, to: 'ann@example.org', subject: 'New dm3 message' }]);
    expect(sent[0]!.text).toMatch(/To switch it off[^]*\n$/);
    expect(sent[0]!.text).not.toMatch(/\.eth|0x/);
  });
});
