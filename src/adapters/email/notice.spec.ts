import { describe, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import type { ForeignAddress, RemoteId } from '../../common/ids.js';
import type { OutgoingNotice } from '../../gateway/adapter/adapter.js';
import { readDeliveryReport } from './delivery-report.js';
import { toNotice } from './notice.js';
import { decodeMail } from './rendering.js';

const OPTIONS = {
  domains: ['mail.test'],
  secret: new Uint8Array(32),
  dkim: null,
  footer: false,
  now: Date.parse('2026-11-20T12:00:00Z'),
};
const CONTEXT = {
  subject: 'Über\r\nlunch',
  references: ['<1@example.com>'],
  peer: { address: 'alice@example.com', name: 'Alice' },
  domain: 'mail.test',
  envelopeFrom: 'bounce@example.com',
  auto: false,
  dmarcFailed: false,
  bounceable: true,
};
const notice = (conversation: OutgoingNotice['conversation'] = CONTEXT, receiver = 'bob.eth'): OutgoingNotice => ({
  id: 'ab'.repeat(32),
  status: 'failed',
  to: 'mailto:alice@example.com' as ForeignAddress,
  receiver,
  about: '<1@example.com>' as RemoteId,
  reason: { code: 'NAME_NOT_FOUND', text: 'Nobody is called bob.eth.\r\n\r\nX: y' },
  conversation,
});

describe('toNotice', () => {
  it('writes a report that mail programs thread and our own reader understands', async () => {
    const rendering = await toNotice(notice(), OPTIONS);
    const { envelope, raw } = decodeMail(rendering!.body);
    expect(envelope).toEqual({ from: '', to: 'bounce@example.com' });
    const mail = await simpleParser(raw, { keepDeliveryStatus: true });
    expect(mail.headers.get('content-type')).toMatchObject({
      value: 'multipart/report',
      params: { 'report-type': 'delivery-status' },
    });
    expect(mail.headers.get('auto-submitted')).toBe('auto-replied');
    expect(mail.inReplyTo).toBe('<1@example.com>');
    expect(mail.messageId).toBe(rendering!.remoteIds[0]);
    expect(mail.from?.value[0]?.address).toBe('postmaster@mail.test');
    expect(mail.text).toContain('did not reach bob.eth');
    expect(mail.attachments.map(({ contentType }) => contentType)).toEqual([
      'message/delivery-status',
      'text/rfc822-headers',
    ]);
    expect(mail.attachments[0]!.content.toString()).toContain(
      'Final-Recipient: rfc822; bob.eth@mail.test\r\nAction: failed\r\nStatus: 5.1.1',
    );
    expect(mail.attachments[1]!.content.toString()).toContain('Message-ID: <1@example.com>');
    const report = await readDeliveryReport(raw);
    expect(report).toEqual({
      kind: 'failed',
      text: 'The mail server of bob.eth@mail.test returned the message: Nobody is called bob.eth. X: y.',
    });
  });

  it('names receivers of other scripts and strange ones', async () => {
    const statusOf = async (receiver: string) => {
      const { raw } = decodeMail((await toNotice(notice(CONTEXT, receiver), OPTIONS))!.body);
      return (await simpleParser(raw, { keepDeliveryStatus: true })).attachments[0]!.content.toString();
    };
    expect(await statusOf('🦊.eth@mail.test')).toContain('rfc822; xn--9s9h.eth@mail.test');
    expect(await statusOf('a b\r\nAction: delivered')).toContain('rfc822; unknown@mail.test');
  });

  it.each([
    ['a machine', { auto: true }],
    ['the null sender', { envelopeFrom: '' }],
    ['somebody whose name was borrowed', { dmarcFailed: true }],
    ['an envelope sender who may be a bystander', { bounceable: false }],
  ])('writes none to %s', async (_, facts) => {
    expect(await toNotice(notice({ ...CONTEXT, ...facts }), OPTIONS)).toBeNull();
  });

  it('writes none where nothing is known of the mail', async () => {
    expect(await toNotice(notice({}), OPTIONS)).toBeNull();
  });
});
