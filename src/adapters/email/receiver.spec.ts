import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import tlsOptions from 'smtp-server/lib/tls-options';
import { describe, expect, it } from '@jest/globals';
import { BASIC, begin, mail, NOW, SECRET, startMailReceiver, stops } from '../../../test/support/mail-receiver.js';
import type { SmtpClient } from '../../../test/support/smtp-client.js';
import { GatewayError } from '../../common/errors.js';
import { MessageTooLargeError } from '../../gateway/adapter/errors.js';
import { LOOP_HEADER, loopMark } from './loop.js';
import { bounceAddress } from './verp.js';

const ID = 'ab'.repeat(32);

async function recipientReplies(
  client: SmtpClient,
  paths: readonly string[],
  from = 'alice@example.com',
): Promise<string[]> {
  await client.command(`MAIL FROM:<${from}>`);
  const replies: string[] = [];
  for (const path of paths) replies.push(await client.command(`RCPT TO:<${path}>`));
  return replies;
}

describe('MailReceiver', () => {
  it('offers what it can do and nothing else', async () => {
    const { client } = await startMailReceiver({ maxMessageBytes: 70_000 });
    const reply = await (await client()).command('EHLO client.test');
    for (const feature of ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'SIZE 70000'])
      expect(reply).toContain(feature);
    expect(reply).not.toMatch(/AUTH|STARTTLS/);
  });

  it('encrypts where it has a certificate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dm3-gateway-'));
    stops.push(async () => rmSync(folder, { recursive: true }));
    const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') };
    const { key, cert } = tlsOptions({}) as typeof files;
    writeFileSync(files.key, key);
    writeFileSync(files.cert, cert);
    const { receiver, port } = await startMailReceiver({ tls: files });
    const server = { host: '127.0.0.1', port: receiver.port!, requireTLS: true, tls: { rejectUnauthorized: false } };
    await createTransport(server).sendMail({ from: 'alice@example.com', to: 'bob.eth@mail.test', text: 'secret' });
    expect(port.received).toMatchObject([{ message: { text: 'secret' } }]);
  });

  it('takes a mail over and answers with our id', async () => {
    const { client, port } = await startMailReceiver();
    expect(await mail(await client(), `${BASIC}..dot\r\n.\r\n`)).toBe('250 2.0.0 Ok: id-1');
    expect(port.received).toMatchObject([
      {
        network: 'email',
        from: 'mailto:alice@example.com',
        remoteId: '<1@example.com>',
        identity: { verdict: 'unverified', detail: 'SPF none' },
        to: [{ name: 'bob.eth' }],
        message: { text: 'Hello\n.dot', subject: 'Hi' },
        conversation: { domain: 'mail.test', envelopeFrom: 'alice@example.com', dmarcFailed: false, bounceable: true },
      },
    ]);
  });

  it('takes several mails and receivers over one pipelined connection', async () => {
    const { client, port } = await startMailReceiver();
    const peer = await client();
    const rcpt = ['bob.eth', 'BOB.eth', 'bob.eth+tag', 'carol.eth']
      .map((name) => `RCPT TO:<${name}@mail.test>\r\n`)
      .join('');
    const one = `MAIL FROM:<alice@example.com>\r\n${rcpt}DATA\r\n${BASIC}.\r\n`;
    peer.write(`${one}${one}QUIT\r\n`);
    const replies: string[] = [];
    for (let index = 0; index < 15; index += 1) replies.push((await peer.reply()).slice(0, 3));
    const expected = ['250', '250', '250', '250', '250', '354', '250'];
    expect(replies).toEqual([...expected, ...expected, '221']);
    expect(port.received.map(({ to }) => to.map(({ name }) => name))).toEqual([
      ['bob.eth', 'carol.eth'],
      ['bob.eth', 'carol.eth'],
    ]);
  });

  it('speaks for itself when it refuses a recipient', async () => {
    const { client } = await startMailReceiver();
    const replies = await recipientReplies(await client(), [
      'bob.eth@elsewhere.test',
      'nobody.eth@mail.test',
      'relay.eth@mail.test',
      'slow.eth@mail.test',
      'bob@mail.test',
      'postmaster@mail.test',
      `${'a'.repeat(65)}.eth@mail.test`,
      'b+aaaa@mail.test',
      '🦊.eth@mail.test',
    ]);
    expect(replies.map((reply) => reply.slice(0, 9))).toEqual([
      '550 5.7.1',
      '550 5.1.1',
      '550 5.7.1',
      '451 4.4.3',
      '550 5.1.1',
      '550 5.1.1',
      '550 5.1.3',
      '550 5.7.1',
      '250 2.1.5',
    ]);
    expect(replies[1]).toBe('550 5.1.1 Nobody is called nobody.eth.');
    expect(replies[4]).toContain('bob.eth@mail.test');
  });

  it('brings mail for the postmaster to the operator', async () => {
    const { client, port } = await startMailReceiver({ operator: 'op.eth' });
    await mail(await client(), `${BASIC}.\r\n`, { to: 'postmaster' });
    expect(port.received[0]?.to[0]?.name).toBe('op.eth');
  });

  it('hangs up on somebody who collects addresses', async () => {
    const { client } = await startMailReceiver();
    const peer = await client();
    const replies = await recipientReplies(
      peer,
      Array.from({ length: 11 }, (_, index) => `no${index}.eth@mail.test`),
    );
    expect(replies.slice(0, 10).every((reply) => reply.startsWith('550 5.1.1'))).toBe(true);
    expect(replies[10]).toMatch(/^421 4\.7\.0 /);
    await once(peer.socket, 'close');
  });

  it('limits the receivers of one mail', async () => {
    const { client } = await startMailReceiver({ maxRecipients: 2 });
    const replies = await recipientReplies(
      await client(),
      ['a.eth', 'b.eth', 'c.eth'].map((name) => `${name}@mail.test`),
    );
    expect(replies[2]).toMatch(/^452 4\.5\.3 /);
  });

  it('refuses a mail that is too large, before or after it came', async () => {
    const { client, port } = await startMailReceiver({ maxMessageBytes: 70_000 });
    const peer = await client();
    expect(await mail(peer, `${BASIC}${'x'.repeat(70_000)}\r\n.\r\n`)).toMatch(/^552 5\.3\.4 .*70000/);
    expect(await peer.command('MAIL FROM:<alice@example.com> SIZE=70001')).toMatch(/^552 5\.3\.4 .*70000/);
    expect(port.received).toEqual([]);
  });

  it('passes on what the core answers', async () => {
    const { client, port } = await startMailReceiver();
    port.refusal = new MessageTooLargeError({ sizeBytes: 200, limitBytes: 100 });
    expect(await mail(await client(), `${BASIC}.\r\n`)).toMatch(/^552 5\.3\.4 .*100 bytes at most/);
    port.refusal = new GatewayError({
      code: 'STORAGE_UNAVAILABLE',
      kind: 'unavailable',
      message: 'Later.',
      retryable: true,
    });
    expect(await mail(await client(), `${BASIC}.\r\n`)).toBe('451 4.4.3 Later.');
    port.refusal = new TypeError('a bug');
    expect(await mail(await client(), `${BASIC}.\r\n`)).toMatch(/^451 4\.3\.0 /);
  });

  it('refuses mail that goes round in circles', async () => {
    const { client, port } = await startMailReceiver();
    const peer = await client();
    expect(await mail(peer, `${LOOP_HEADER}: ${loopMark(SECRET, ID)}\r\n${BASIC}.\r\n`)).toMatch(/^554 5\.4\.6 /);
    expect(await mail(peer, `${'Received: x\r\n'.repeat(51)}${BASIC}.\r\n`)).toMatch(/^554 5\.4\.6 /);
    expect(await mail(peer, `${LOOP_HEADER}: ${loopMark(new Uint8Array(32), ID)}\r\n${BASIC}.\r\n`)).toMatch(/^250 /);
    expect(port.received).toHaveLength(1);
  });

  it('refuses a header of 300 KB', async () => {
    const { client } = await startMailReceiver();
    expect(await mail(await client(), `X-Long: ${'x'.repeat(300_000)}\r\n${BASIC}.\r\n`)).toMatch(/^552 5\.3\.4 /);
  });

  it('says at the start that its port is taken', async () => {
    const { receiver } = await startMailReceiver();
    await expect(startMailReceiver({ listen: { host: '127.0.0.1', port: receiver.port! } })).rejects.toThrow(
      'EADDRINUSE',
    );
  });

  it('says at the start that its certificate cannot be read', async () => {
    const tls = { key: '/does/not/exist', cert: '/does/not/exist' };
    await expect(startMailReceiver({ tls })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('lets mail under way finish when it stops', async () => {
    const { client, receiver } = await startMailReceiver({ timeouts: { shutdownSeconds: 5 } });
    const peer = await client();
    await begin(peer);
    const stopped = receiver.stop();
    peer.write(`${BASIC}.\r\n`);
    expect(await peer.reply()).toMatch(/^250 2\.0\.0 /);
    expect(await peer.reply()).toMatch(/^421 4\.3\.2 /);
    await stopped;
  });

  it('sends those away who are between two mails, or before the first, when it stops', async () => {
    const { client, receiver } = await startMailReceiver({ timeouts: { shutdownSeconds: 600 } });
    const peers = [await client(), await client()];
    expect(await mail(peers[1]!, `${BASIC}.\r\n`)).toMatch(/^250 /);
    const stopped = receiver.stop();
    for (const peer of peers) expect(await peer.reply()).toMatch(/^421 4\.3\.2 /);
    await stopped;
  });
});

describe('MailReceiver against smuggled mail', () => {
  const SECOND = `MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob.eth@mail.test>\r\nDATA\r\n${BASIC}`;

  it.each(['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r\n.\r', '\r.\r\n'])(
    'takes %j for content, and refuses it',
    async (end) => {
      const { client, port } = await startMailReceiver();
      const peer = await client();
      expect(await mail(peer, `${BASIC}first${end}${SECOND}.\r\n`)).toMatch(/^550 5\.6\.0 /);
      expect(await peer.command('NOOP')).toMatch(/^250 /);
      expect(port.received).toEqual([]);
    },
  );

  it('is not impressed by a peer that resets in the middle', async () => {
    const { client, port } = await startMailReceiver();
    for (const until of [
      'EHLO x\r\n',
      'EHLO x\r\nMAIL FROM:<a@b.test>\r\n',
      `EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob.eth@mail.test>\r\nDATA\r\n${BASIC}`,
    ]) {
      const peer = await client();
      peer.write(until);
      await peer.reply();
      peer.socket.resetAndDestroy();
    }
    expect(await mail(await client(), `${BASIC}.\r\n`)).toBe('250 2.0.0 Ok: id-1');
    expect(port.received).toHaveLength(1);
  });
});

describe('MailReceiver and bounces', () => {
  const bounceTo = (at = NOW) => bounceAddress(SECRET, { id: ID, domain: 'mail.test', at });
  const DSN = [
    'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
    '',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.test',
    '',
    'Final-Recipient: rfc822; alice@example.com',
    'Action: failed',
    'Diagnostic-Code: smtp; 550 gone',
    '',
    '--b--',
    '.',
    '',
  ].join('\r\n');

  it('reports them about the message they name', async () => {
    const { client, port } = await startMailReceiver();
    expect(await mail(await client(), DSN, { from: '', to: bounceTo() })).toBe('250 2.0.0 Ok: noted');
    expect(port.failures).toEqual([
      {
        network: 'email',
        remoteId: `<dm3.${ID}@mail.test>`,
        code: 'BOUNCED',
        text: 'The mail server of alice@example.com returned the message: 550 gone.',
      },
    ]);
    expect(port.received).toEqual([]);
  });

  it('keeps quiet about delays, and refuses automatic answers', async () => {
    const { client, port } = await startMailReceiver();
    const peer = await client();
    expect(await mail(peer, DSN.replace('failed', 'delayed'), { from: '', to: bounceTo() })).toMatch(/^250 /);
    const away = 'Auto-Submitted: auto-replied\r\n\r\nAway.\r\n.\r\n';
    expect(await mail(peer, away, { from: '', to: bounceTo() })).toMatch(/^550 5\.7\.1 /);
    expect(port.failures).toEqual([]);
  });

  it('takes none that are old, forged, from somebody, or to a person', async () => {
    const { client } = await startMailReceiver();
    const old = bounceTo(NOW - 20 * 86_400_000);
    const forged = bounceAddress(new Uint8Array(32), { id: ID, domain: 'mail.test', at: NOW });
    for (const reply of await recipientReplies(await client(), [old, forged, 'bob.eth@mail.test'], '')) {
      expect(reply).toMatch(/^550 5\.7\.1 /);
    }
    expect(await recipientReplies(await client(), [bounceTo()])).toEqual([expect.stringMatching(/^550 5\.7\.1 /)]);
  });
});
