import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { BASIC, begin, mail, startMailReceiver } from '../../../test/support/mail-receiver.js';
import type { SmtpClient } from '../../../test/support/smtp-client.js';
import { MailMemory, withMail } from './read-mail.js';

const MB = 1_048_576;
const chunks = (...lengths: number[]) => Readable.from(lengths.map((length) => Buffer.alloc(length, 'x')));
const lengthOf = async (raw: Buffer) => raw.length;

describe('withMail', () => {
  it('holds a mail until it is dealt with', async () => {
    const memory = new MailMemory(10);
    const limits = { memory, maxBytes: 10 };
    const length = await withMail(chunks(4, 3), limits, async (raw) => {
      expect(memory.hasRoomFor(3)).toBe(true);
      expect(memory.hasRoomFor(4)).toBe(false);
      return raw.length;
    });
    expect(length).toBe(7);
    expect(memory.hasRoomFor(10)).toBe(true);
  });

  it('holds nothing of a mail that failed, and reads to the end what is refused', async () => {
    const memory = new MailMemory(10);
    const fails = withMail(chunks(4), { memory, maxBytes: 10 }, async () => {
      throw new Error('no');
    });
    await expect(fails).rejects.toThrow('no');
    const large = chunks(4, 3, 4, 1);
    await expect(withMail(large, { memory, maxBytes: 6 }, lengthOf)).rejects.toMatchObject({
      code: 'MAIL_TOO_LARGE',
      message: 'The mail has more than 6 bytes.',
    });
    expect(large.readableEnded).toBe(true);
    expect(memory.hasRoomFor(10)).toBe(true);
  });

  it('lets go of a mail whose connection breaks', async () => {
    const memory = new MailMemory(10);
    const broken = new PassThrough();
    broken.write('half');
    setImmediate(() => broken.destroy(new Error('reset')));
    await expect(withMail(broken, { memory, maxBytes: 10 }, lengthOf)).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
    });
    expect(memory.hasRoomFor(10)).toBe(true);
  });

  it('refuses what does not fit beside the others, and takes it when they are gone', async () => {
    const memory = new MailMemory(10);
    const limits = { memory, maxBytes: 10 };
    await withMail(chunks(6), limits, async () => {
      await expect(withMail(chunks(3, 2), limits, lengthOf)).rejects.toMatchObject({ code: 'NO_ROOM' });
      expect(await withMail(chunks(3, 1), limits, lengthOf)).toBe(4);
    });
    expect(await withMail(chunks(3, 2), limits, lengthOf)).toBe(5);
  });
});

describe('MailReceiver', () => {
  const LIMITS = { maxMessageBytes: 100_000, maxBytesInFlight: 150_000 };
  const large = `${BASIC}${`${'x'.repeat(98)}\r\n`.repeat(900)}`;

  /** Waits until there is, or is not, room for a mail that large. */
  const roomFor = (client: SmtpClient, bytes: number, there: boolean) =>
    eventually(there ? 'room' : 'no room', async () => {
      const reply = await client.command(`MAIL FROM:<alice@example.com> SIZE=${bytes}`);
      await client.command('RSET');
      return there ? reply.startsWith('250 ') : /^452 4\.3\.1 .*try again later/.test(reply);
    });

  it('asks to come later while so much mail is coming in, before it is sent or after', async () => {
    const { client, port } = await startMailReceiver(LIMITS);
    const [first, second] = [await client(), await client()];
    await begin(first);
    first.write(large);
    await roomFor(second, 90_000, false);
    expect(await mail(second, `${large}.\r\n`)).toMatch(/^452 4\.3\.1 /);
    expect(await mail(second, `${BASIC}.\r\n`)).toMatch(/^250 /);
    first.write('.\r\n');
    expect(await first.reply()).toMatch(/^250 /);
    expect(await mail(second, `${large}.\r\n`)).toMatch(/^250 /);
    expect(port.received).toHaveLength(3);
  });

  it('forgets a mail whose connection breaks', async () => {
    const { client } = await startMailReceiver(LIMITS);
    const [first, second] = [await client(), await client()];
    await begin(first);
    first.write(large);
    await roomFor(second, 90_000, false);
    first.socket.resetAndDestroy();
    await roomFor(second, 90_000, true);
  });

  it('takes no mail that its receiver could never be sent', async () => {
    const { client, port } = await startMailReceiver({ maxMessageBytes: 10 * MB });
    port.sizeLimit = 100_000;
    const most = 300_000 + MB;
    const peer = await client();
    await peer.command(`MAIL FROM:<alice@example.com> SIZE=${most + 1}`);
    expect(await peer.command('RCPT TO:<bob.eth@mail.test>')).toBe(`552 5.3.4 The mail has more than ${most} bytes.`);
    await peer.command('RSET');
    const huge = `${BASIC}${`${'x'.repeat(998)}\r\n`.repeat(Math.ceil(most / 1_000))}.\r\n`;
    expect(await mail(peer, huge)).toBe(`552 5.3.4 The mail has more than ${most} bytes.`);
    expect(await mail(peer, `${BASIC}.\r\n`)).toMatch(/^250 /);
    expect(port.received).toHaveLength(1);
  });

  it('takes more where files are sent as links', async () => {
    const { client, port } = await startMailReceiver({ maxMessageBytes: 10 * MB });
    Object.assign(port, { sizeLimit: 100_000, linkedBytes: 500_000 });
    const most = 1_800_000 + MB;
    const peer = await client();
    await peer.command(`MAIL FROM:<alice@example.com> SIZE=${most}`);
    expect(await peer.command('RCPT TO:<bob.eth@mail.test>')).toMatch(/^250 /);
    await peer.command('RSET');
    await peer.command(`MAIL FROM:<alice@example.com> SIZE=${most + 1}`);
    expect(await peer.command('RCPT TO:<bob.eth@mail.test>')).toBe(`552 5.3.4 The mail has more than ${most} bytes.`);
  });
});
