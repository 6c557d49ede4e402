import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { DIALECTS, RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { sendMail, exampleDns } from './support/mail.js';
import { MailServer } from './support/mail-server.js';
import { ReferenceService } from './support/reference-service.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const CAROL = 'carol._at.example.org.email.gateway.eth';
const NOBODY = 'nobody._at.example.org.email.gateway.eth';

let gateway: TestGateway;
let mailServer: MailServer;
let bob: RealClient;
beforeAll(async () => {
  mailServer = await MailServer.reserve();
  await mailServer.start();
  mailServer.knows = (recipient) => recipient !== 'nobody@example.org';
  gateway = await TestGateway.create({ dns: exampleDns, email: { outgoing: { smartHost: mailServer.address } } });
  bob = await RealClient.create(gateway, gateway.bob);
});
afterAll(async () => {
  await gateway.stop();
  await mailServer.stop();
});

const mailsWith = (words: string) => mailServer.mails.filter(({ raw }) => raw.includes(words));
const arrived = (words: string) => eventually(`a mail with "${words}"`, async () => mailsWith(words)[0]);
const noticesAbout = async (hash: string) =>
  (await bob.incoming()).filter(({ message }) => message.metadata.referenceMessageHash === hash);

describe.each(DIALECTS)('bob, whose client writes %s,', (dialect) => {
  it('is told once, as an answer to his message, that the mail server refused it', async () => {
    const { hash } = await bob.send({ to: NOBODY, text: 'anybody there?' }, { dialect });
    const notice = await eventually('the notice', async () => (await noticesAbout(hash))[0]);
    expect(notice.message.metadata).toMatchObject({ type: 'REPLY', from: NOBODY, to: 'bob.eth' });
    expect(notice.message.message).toMatch(
      /^\[dm3-gateway\] Your message to nobody@example\.org .*was not delivered\.\n\n.*550 .*No such user/s,
    );
    expect(await bob.isSignedBySender(notice)).toBe(true);

    const next = await bob.send({ to: NOBODY, text: 'still nobody?' }, { dialect });
    await eventually('the next notice', async () => (await noticesAbout(next.hash))[0]);
    expect(await noticesAbout(hash)).toHaveLength(1);
  });

  it('is told once if the mail comes back later', async () => {
    const { hash } = await bob.send({ to: CAROL, text: `into a full mailbox ${dialect}` }, { dialect });
    const { from: bounceAddress } = await arrived(`into a full mailbox ${dialect}`);
    for (const _ of ['once', 'and again']) await reportFailure(bounceAddress);

    const notice = await eventually('the notice', async () => (await noticesAbout(hash))[0]);
    expect(notice.message.metadata).toMatchObject({ type: 'REPLY', from: CAROL });
    expect(notice.message.message).toContain('carol@example.org returned the message: 552 5.2.2 mailbox full.');
    await sendMail(gateway, { from: 'carol@example.org', to: `bob.eth@${DOMAIN}`, text: `emptied ${dialect}` });
    await bob.receive(`emptied ${dialect}`);
    expect(await noticesAbout(hash)).toHaveLength(1);
  });
});

describe('a receiver whose delivery service is made of the published libraries', () => {
  let service: ReferenceService;
  let erin: RealClient;
  beforeAll(async () => {
    service = await ReferenceService.start(gateway, 'ds.reference.eth');
    const person = await gateway.addPerson('erin.eth', { deliveryService: 'ds.reference.eth' });
    erin = await RealClient.create(gateway, person);
    service.accounts.set('erin.eth', erin);
  });
  afterAll(() => service.stop());

  it('gets her mail in the form that service knows, and answers in its thread', async () => {
    const asked = await sendMail(gateway, { to: `erin.eth@${DOMAIN}`, subject: 'Far away', text: 'are you there?' });
    const question = await service.receive(erin, 'are you there?');
    expect(question.envelope.metadata).not.toHaveProperty('messageHash');
    expect(await erin.isSignedBySender(question)).toBe(true);
    expect(await erin.isPostmarked(question)).toBe(true);

    const to = question.message.metadata.from;
    const answer = await erin.send({ to, text: 'I am here', about: question.hash });
    const mail = await simpleParser((await arrived('I am here')).raw);
    expect(mail).toMatchObject({ subject: 'Re: Far away', inReplyTo: asked });

    await sendMail(gateway, { to: `erin.eth@${DOMAIN}`, text: 'so am I', inReplyTo: mail.messageId! });
    const { message } = await service.receive(erin, 'so am I');
    expect(message.metadata).toMatchObject({ type: 'REPLY', referenceMessageHash: answer.hash });
  });

  it('cannot be reached any more: the author of the mail gets one delivery report', async () => {
    service.accounts.clear();
    const before = service.submissions;
    const lost = await sendMail(gateway, { to: `erin.eth@${DOMAIN}`, subject: 'Lost', text: 'into the void' });
    const { from, to, raw } = await arrived('Undelivered mail: Lost');
    expect({ from, to }).toEqual({ from: '', to: ['dora@example.org'] });
    const report = await simpleParser(raw);
    expect(report).toMatchObject({ inReplyTo: lost, references: lost });
    expect(report.headers.get('auto-submitted')).toBe('auto-replied');
    expect(report.headers.get('content-type')).toMatchObject({
      value: 'multipart/report',
      params: { 'report-type': 'delivery-status' },
    });
    expect(raw).toContain(`\r\nFinal-Recipient: rfc822; erin.eth@${DOMAIN}\r\nAction: failed\r\nStatus: 5.`);

    await sendMail(gateway, { to: `erin.eth@${DOMAIN}`, subject: 'Lost too', text: 'into the void' });
    await arrived('Undelivered mail: Lost too');
    expect(mailsWith('Undelivered mail: Lost\r\n')).toHaveLength(1);
    expect(service.submissions - before).toBe(4);
  });
});

/** As a mail server that took a mail and cannot deliver it (RFC 3464). */
async function reportFailure(to: string): Promise<void> {
  const status = [
    'Reporting-MTA: dns; example.org',
    '',
    'Final-Recipient: rfc822; carol@example.org',
    'Action: failed',
    'Status: 5.2.2',
    'Diagnostic-Code: smtp; 552 5.2.2 mailbox full',
  ];
  const lines = [
    'From: MAILER-DAEMON@example.org',
    `To: ${to}`,
    'Subject: Returned mail',
    'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
    '',
    '--b',
    '',
    'Sorry.',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    ...status,
    '',
    '--b--',
    '',
  ];
  await sendMail(gateway, { envelope: { from: '', to }, raw: lines.join('\r\n') });
}
