import { describe, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { dkimKey } from '../../config/secret-files.js';
import { isOwnLoopMark } from './loop.js';
import { notifiableMailbox, toNotification } from './notification.js';

const secret = new Uint8Array(32).fill(7);
const OPTIONS = {
  domains: ['mail.test', 'xn--bcher-kva.test'],
  secret,
  dkim: { domain: null, selector: 'test', privateKey: dkimKey() },
  footer: false,
  now: Date.parse('2026-11-20T12:00:00Z'),
};
const NOTIFICATION = { id: 'ab'.repeat(32), to: 'ann@bücher.example', subject: 'Hi\r\nBcc: x@y', text: 'Grüße\nAnn\n' };

describe('toNotification', () => {
  it('writes a plain mail from a machine that nobody answers', async () => {
    const { envelope, raw } = await toNotification(NOTIFICATION, OPTIONS);
    expect(envelope).toEqual({ from: '', to: 'ann@xn--bcher-kva.example' });
    const { headers, ...mail } = await simpleParser(raw);
    expect(mail.from?.value[0]).toEqual({ address: 'noreply@mail.test', name: 'dm3 notifications' });
    expect(mail.subject).toBe('Hi Bcc: x@y');
    expect(mail.text).toBe('Grüße\nAnn\n');
    expect(mail.messageId).toBe(`<dm3.${NOTIFICATION.id}@mail.test>`);
    expect(mail.date).toEqual(new Date(OPTIONS.now));
    expect(headers.get('auto-submitted')).toBe('auto-generated');
    expect(headers.has('bcc')).toBe(false);
    expect(headers.get('dkim-signature')).toMatchObject({ params: { d: 'mail.test', s: 'test' } });
    expect(raw.toString('latin1')).not.toMatch(/[^\r]\n/);
  });

  it('marks it, so that a mailbox that forwards to us does not tell itself for ever', async () => {
    const { raw } = await toNotification(NOTIFICATION, OPTIONS);
    const mark = (await simpleParser(raw)).headers.get('x-dm3-loop') as string;
    expect(isOwnLoopMark(secret, mark)).toBe(true);
  });
});

describe('notifiableMailbox', () => {
  it.each(['ann@example.org', 'ann+dm3@bücher.example', '"ann b"@example.org', 'grüße@example.org'])(
    'is %s',
    (text) => {
      expect(notifiableMailbox(text, OPTIONS.domains)).toBe(text);
    },
  );

  it.each([
    'bob.eth@mail.test',
    'bob.eth@MAIL.test',
    'bob.eth@bücher.test',
    'ann',
    '@example.org',
    'ann@',
    'ann@exa mple.org',
    'a@b@example.org',
    'ann@example.org\r\nX: y',
    `${'a'.repeat(65)}@example.org`,
  ])('is not %j', (text) => {
    expect(notifiableMailbox(text, OPTIONS.domains)).toBeNull();
  });
});
