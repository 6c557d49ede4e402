import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import { howOften } from '../../../test/support/how-often.js';
import { MailRefusedError } from './errors.js';
import { fromEmail, type IncomingMail } from './from-email.js';

const NOW = Date.parse('2026-11-20T12:00:00Z');
const FIXTURES = new URL('../../../test/fixtures/eml/', import.meta.url);
const CORPUS = readdirSync(FIXTURES).filter((file) => file.endsWith('.eml'));
const fixture = (file: string) => readFileSync(new URL(file, FIXTURES));

const read = (raw: string | Buffer, from = 'alice@example.com') =>
  fromEmail(Buffer.from(raw), { from, domain: 'mail.test', receivedAt: NOW });
const mail = (header: readonly string[], body = 'hello') => [...header, '', body, ''].join('\r\n');
const BASIC = ['From: Alice <Alice@Example.com>', 'Message-ID: <1@example.com>', 'Subject: Lunch'];

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(MailRefusedError);
  return (error as MailRefusedError).code;
}

describe('fromEmail', () => {
  it('reads who, what and when', async () => {
    const date = 'Date: Thu, 19 Nov 2026 10:00:00 +0100';
    await expect(read(mail([...BASIC, date], 'Shall we?'))).resolves.toEqual({
      from: 'mailto:Alice@Example.com',
      remoteId: '<1@example.com>',
      inReplyTo: [],
      message: {
        type: 'new',
        subject: 'Lunch',
        text: 'Shall we?',
        attachments: [],
        sentAt: Date.parse('2026-11-19T09:00:00Z'),
      },
      dedup: expect.stringMatching(/^alice@example\.com\n<1@example\.com>\n[0-9a-f]{64}$/),
      context: {
        subject: 'Lunch',
        references: ['<1@example.com>'],
        peer: { address: 'Alice@Example.com', name: 'Alice' },
        domain: 'mail.test',
        envelopeFrom: 'alice@example.com',
        auto: false,
      },
    });
  });

  it('takes the time of arrival where the author names none, nonsense or the future', async () => {
    for (const date of ['X-Date: none', 'Date: yesterday', 'Date: Fri, 1 Jan 2100 00:00:00 +0000']) {
      expect((await read(mail([...BASIC, date]))).message.sentAt).toBe(NOW);
    }
  });

  it('walks In-Reply-To, then References from their end', async () => {
    const header = [...BASIC, 'In-Reply-To: <p@x>', 'References: <a@x>\r\n <b@x> junk', 'References: <p@x>'];
    const { inReplyTo, message, context } = await read(mail(header));
    expect(inReplyTo).toEqual(['<p@x>', '<b@x>', '<a@x>']);
    expect(message.type).toBe('reply');
    expect(context.references).toEqual(['<a@x>', '<b@x>', '<p@x>', '<1@example.com>']);
  });

  it('makes up a Message-ID that is the same for every copy', async () => {
    const first = await read(mail(['From: a@b.test', 'Subject: x']));
    const again = await read(mail(['Received: from elsewhere', 'From: a@b.test', 'Subject: x']));
    const other = await read(mail(['From: a@b.test', 'Subject: y']));
    expect(first.remoteId).toMatch(/^<[0-9a-f]{64}@missing>$/);
    expect(again.remoteId).toBe(first.remoteId);
    expect(again.dedup).toBe(first.dedup);
    expect(other.remoteId).not.toBe(first.remoteId);
  });

  it('falls back to the envelope sender, and refuses a mail without any author', async () => {
    const header = ['From: undisclosed', 'Message-ID: <1@x>'];
    expect((await read(mail(header))).from).toBe('mailto:alice@example.com');
    expect(await refusal(read(mail(header), ''))).toBe('MALFORMED_MAIL');
  });

  it('cleans names and subjects', async () => {
    const header = [
      'From: =?utf-8?Q?Ali=0D=0ABcc=3A_x=E2=80=AE?= <alice@example.com>',
      'Subject: =?utf-8?Q?a=0D=0Ab=00c?=',
      'Content-Type: application/pdf; name="=?utf-8?Q?in=0D=0Avo/ice=E2=80=AEfdp.exe?="',
    ];
    const { context, message } = await read(mail(header));
    expect(context.peer.name).toBe('Ali Bcc: x');
    expect(message.subject).toBe('a b c');
    expect(message.attachments[0]?.name).toBe('in vo_ice fdp.exe');
  });

  it('names attachments that have no name, and says so where there is no text', async () => {
    const { message } = await read(
      mail([...BASIC, 'Content-Type: image/png', 'Content-Transfer-Encoding: base64'], 'AAEC'),
    );
    expect(message.text).toBe('(no text, 1 attachment)');
    expect(message.attachments).toEqual([
      { name: 'attachment-1.png', mediaType: 'image/png', content: { bytes: Buffer.from([0, 1, 2]) } },
    ]);
    expect((await read(mail(BASIC, ''))).message.text).toBe('(empty message)');
  });

  it('takes attachments that do not say what they are', async () => {
    const body = ['--b', '', 'see', '--b', 'Content-Disposition: attachment; filename=x', '', 'bytes', '--b--'];
    const { message } = await read(mail([...BASIC, 'Content-Type: multipart/mixed; boundary=b'], body.join('\r\n')));
    expect(message.attachments).toMatchObject([{ name: 'x', mediaType: 'application/octet-stream' }]);
  });

  it('reads HTML where there is no text, or a stub', async () => {
    const html = '<p>Hi <b>Bob</b></p>';
    expect((await read(mail([...BASIC, 'Content-Type: text/html'], html))).message.text).toBe('Hi **Bob**');
    const both = (plain: string) =>
      mail(
        [...BASIC, 'Content-Type: multipart/alternative; boundary=b'],
        ['--b', '', plain, '--b', 'Content-Type: text/html', '', html, '--b--'].join('\r\n'),
      );
    expect((await read(both('plain words'))).message.text).toBe('plain words');
    expect((await read(both('Your mail program does not support HTML.'))).message.text).toBe('Hi **Bob**');
    expect((await read(both(''))).message.text).toBe('Hi **Bob**');
  });

  it('keeps both where they are no alternatives of one another', async () => {
    const body = ['--b', 'Content-Type: text/html', '', '<p>Hi <b>Bob</b></p>', '--b', '', 'List footer', '--b--'];
    const raw = mail([...BASIC, 'Content-Type: multipart/mixed; boundary=b'], body.join('\r\n'));
    expect((await read(raw)).message.text).toBe('List footer\n\nHi **Bob**');
  });

  it('keeps the original of HTML that it had to flatten', async () => {
    const deep = `${'<div>'.repeat(5_000)}deep${'</div>'.repeat(5_000)}`;
    const { message } = await read(mail([...BASIC, 'Content-Type: text/html'], deep));
    expect(message.text).toBe('deep');
    expect(message.attachments).toMatchObject([{ name: 'original.html', mediaType: 'text/html' }]);
  });

  it('names inline images where they stand', async () => {
    const { message } = await read(fixture('jhillyerd__enmime--mail_html-mime-inline.eml'));
    expect(message.attachments.length).toBeGreaterThan(0);
    const related = [
      '--r',
      'Content-Type: text/html',
      '',
      '<p>see <img src="cid:i@x"></p>',
      '--r',
      'Content-Type: image/png; name=cat.png',
      'Content-ID: <i@x>',
      'Content-Disposition: inline',
      '',
      'x',
      '--r--',
    ];
    const inline = await read(mail([...BASIC, 'Content-Type: multipart/related; boundary=r'], related.join('\r\n')));
    expect(inline.message.text).toBe('see [image: cat.png]');
    expect(inline.message.attachments[0]?.name).toBe('cat.png');
  });

  it.each([
    ['Auto-Submitted: auto-replied', true],
    ['Auto-Submitted: no', false],
    ['Precedence: bulk', true],
    ['List-Id: <l.example.com>', true],
    ['X-Priority: 1', false],
  ])('%s means automatic: %s', async (line, auto) => {
    expect((await read(mail([...BASIC, line]))).context.auto).toBe(auto);
  });

  it('takes 1,000 parts and refuses more', async () => {
    const parts = (count: number) =>
      mail(
        [...BASIC, 'Content-Type: multipart/mixed; boundary=b'],
        `${Array.from({ length: count }, (_, index) => `--b\r\n\r\npart ${index}`).join('\r\n')}\r\n--b--`,
      );
    const { message } = await read(parts(999));
    expect(message.text).toContain('part 998');
    expect(await refusal(read(parts(1_001)))).toBe('MALFORMED_MAIL');
  });

  it('refuses a header of 300 KB and nesting beyond fifty levels', async () => {
    expect(await refusal(read(mail([...BASIC, `X-Long: ${'x'.repeat(300_000)}`])))).toBe('HEADER_TOO_LARGE');
    const nested = (depth: number) => {
      const levels = Array.from({ length: depth }, (_, level) => level);
      const open = levels.map((level) => `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`);
      return `${BASIC.join('\r\n')}\r\n${open.join('')}\r\ndeep down\r\n${levels
        .reverse()
        .map((level) => `--b${level}--\r\n`)
        .join('')}`;
    };
    expect((await read(nested(50))).message.text).toContain('deep down');
    expect(await refusal(read(nested(51)))).toBe('MALFORMED_MAIL');
  });

  it('takes a digest of many small multiparts', async () => {
    const part = (index: number) =>
      `--d\r\nContent-Type: multipart/alternative; boundary=a${index}\r\n\r\n--a${index}\r\n\r\ntext ${index}\r\n--a${index}--`;
    const body = `${Array.from({ length: 80 }, (_, index) => part(index)).join('\r\n')}\r\n--d--`;
    expect((await read(mail([...BASIC, 'Content-Type: multipart/digest; boundary=d'], body))).message.text).toContain(
      'text 79',
    );
  });
});

describe('fromEmail on real mail', () => {
  it.each(CORPUS)('%s gives a message with text', async (file) => {
    const { message, from } = await read(fixture(file));
    expect(message.text.trim()).not.toBe('');
    expect(message.text).not.toContain('\ufffd');
    expect(from).toMatch(/^mailto:[^@]+@[^@]+$/);
  });

  it('decodes Japanese', async () => {
    const { message } = await read(fixture('mikel__mail--multi_charset_japanese.eml'));
    expect(message.text).toMatch(/[\u3040-\u30ff]/);
  });

  it('survives mutations: a message with text, or a refusal', async () => {
    const originals = CORPUS.map(fixture);
    const mutation = fc.record({
      at: fc.nat(5_000),
      cut: fc.nat(40),
      insert: anyText({ maxLength: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...originals),
        fc.array(mutation, { minLength: 1, maxLength: 8 }),
        async (raw, mutations) => {
          const mutated = mutations.reduce((mail, { at, cut, insert }) => {
            const from = at % (mail.length + 1);
            return Buffer.concat([mail.subarray(0, from), Buffer.from(insert), mail.subarray(from + cut)]);
          }, raw);
          const result = await read(mutated).catch((error: unknown) => error);
          if (result instanceof Error) expect(result).toBeInstanceOf(MailRefusedError);
          else expect((result as IncomingMail).message.text.trim()).not.toBe('');
        },
      ),
      { numRuns: howOften(500, 100) },
    );
  });
});
