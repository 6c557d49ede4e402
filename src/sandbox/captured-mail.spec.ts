import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createTransport, type SendMailOptions } from 'nodemailer';
import { startCapturedMail, type CapturedMessage, type CapturedMail } from './captured-mail.js';

let dir: string;
let server: CapturedMail;

const start = () => startCapturedMail({ dir, smtpPort: 0, httpPort: 0 });

beforeEach(async () => {
  dir = fs.mkdtempSync('/tmp/dm3-gateway-captured-');
  server = await start();
});

afterEach(async () => {
  await server.stop();
  fs.rmSync(dir, { recursive: true });
});

async function send(mail: SendMailOptions): Promise<void> {
  const transport = createTransport({ ...server.smtp, secure: false });
  await transport.sendMail(mail);
  transport.close();
}

async function captured(): Promise<CapturedMessage[]> {
  return (await (await fetch(server.url)).json()) as CapturedMessage[];
}

const hello = { from: 'ghost@gateway.example', to: 'bob@example.com', subject: 'Grüße, Bob', text: 'Zwölf Boxkämpfer' };

describe('startCapturedMail', () => {
  it('shows a mail with its envelope, its decoded subject and its whole text', async () => {
    await send({
      ...hello,
      textEncoding: 'base64',
      envelope: { from: 'bounce@gateway.example', to: ['bob@example.com', 'carol@example.com'] },
    });
    const [mail, ...others] = await captured();
    expect(others).toEqual([]);
    expect(mail).toMatchObject({
      from: 'bounce@gateway.example',
      to: ['bob@example.com', 'carol@example.com'],
      subject: 'Grüße, Bob',
    });
    expect(mail!.raw).toMatch(/^From: ghost@gateway\.example\r\n/);
    expect(mail!.raw).toContain(Buffer.from(hello.text).toString('base64'));
    expect(new Date(mail!.receivedAt).toISOString()).toBe(mail!.receivedAt);
  });

  it('reads eight-bit text as UTF-8 and takes bounces, which have no sender', async () => {
    await send({ envelope: { from: '', to: 'bob@example.com' }, raw: 'Subject: Ünicode\r\n\r\nZwölf\r\n' });
    expect(await captured()).toMatchObject([
      { from: '', subject: 'Ünicode', raw: 'Subject: Ünicode\r\n\r\nZwölf\r\n' },
    ]);
  });

  it('lists the oldest first and keeps everything between starts', async () => {
    for (const subject of ['one', 'two', 'three']) await send({ ...hello, subject });
    const before = await captured();
    await server.stop();
    server = await start();
    expect(await captured()).toEqual(before);
    await send({ ...hello, subject: 'four' });
    expect((await captured()).map(({ subject }) => subject)).toEqual(['one', 'two', 'three', 'four']);
  });

  it('is emptied by DELETE, for good', async () => {
    await send(hello);
    expect((await fetch(server.url, { method: 'DELETE' })).status).toBe(204);
    expect(await captured()).toEqual([]);
    await server.stop();
    server = await start();
    expect(await captured()).toEqual([]);
  });

  it('does not count a mail that never reached its end', async () => {
    fs.writeFileSync(`${dir}/1.json.new`, '{"id":');
    await server.stop();
    server = await start();
    expect(await captured()).toEqual([]);
  });

  it('tells the client to try again when the mail cannot be stored', async () => {
    fs.rmSync(dir, { recursive: true });
    await expect(send(hello)).rejects.toMatchObject({ responseCode: 450 });
    expect(await captured()).toEqual([]);
    fs.mkdirSync(dir);
  });

  it.each([
    ['GET', 'elsewhere', 404],
    ['POST', '', 405],
  ])('answers %s /%s with %i in JSON', async (method, path, status) => {
    const response = await fetch(server.url + path, { method });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.any(String) });
  });
});
