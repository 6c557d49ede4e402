import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { dkimVerify } from 'mailauth';
import { simpleParser } from 'mailparser';
import { anyText } from '../../../test/support/any-text.js';
import { howOften } from '../../../test/support/how-often.js';
import type { EnsName, EthAddress, ForeignAddress, RemoteId } from '../../common/ids.js';
import type { AdapterContext, OutgoingMessage } from '../../gateway/adapter/adapter.js';
import type { NeutralMessage } from '../../gateway/adapter/message.js';
import { isOwnLoopMark, LOOP_HEADER } from './loop.js';
import { headerValues, refuseBareLineEnds, splitMail } from './raw-mail.js';
import { decodeMail } from './rendering.js';
import { toEmail, type RenderOptions } from './to-email.js';
import { readBounceToken } from './verp.js';

const SECRET = new Uint8Array(32).fill(1);
const AT = Date.parse('2026-11-20T12:00:00Z');
const ID = 'c0'.repeat(32);
const OPTIONS: RenderOptions & { now: number } = {
  domains: ['mail.test', 'two.test'],
  secret: SECRET,
  dkim: null,
  footer: false,
  now: AT + 60_000,
};
const BOB = { name: 'bob.eth' as EnsName, address: `0x${'b'.repeat(40)}` as EthAddress };
const CONTEXT: AdapterContext = {
  subject: 'Lunch',
  references: ['<a@x>', '<b@x>'],
  peer: { address: 'Alice@Example.com', name: 'Alice' },
  domain: 'two.test',
  envelopeFrom: 'bounce@example.com',
  auto: false,
  dmarcFailed: false,
  bounceable: true,
};

function outgoing(message: Partial<NeutralMessage> = {}, rest: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return {
    id: ID,
    from: BOB,
    to: 'mailto:alice@example.com' as ForeignAddress,
    message: { type: 'new', text: 'Hello **Alice**', attachments: [], sentAt: AT, ...message },
    conversation: null,
    target: null,
    ...rest,
  };
}

async function render(message?: Partial<NeutralMessage>, rest?: Partial<OutgoingMessage>, options = OPTIONS) {
  const rendering = await toEmail(outgoing(message, rest), options);
  const { envelope, raw } = decodeMail(rendering.body);
  return { rendering, envelope, raw, mail: await simpleParser(raw) };
}

describe('toEmail', () => {
  it.each([
    ['waited for weeks', AT - 40 * 86_400_000],
    ['comes from a clock that runs ahead', AT + 5 * 86_400_000],
    ['has its time in seconds', AT / 1_000],
  ])('gives a message that %s a bounce address that holds', async (_, sentAt) => {
    const { envelope } = await render({ sentAt });
    const token = /^b\+(.*)@mail\.test$/.exec(envelope.from)![1]!;
    expect(readBounceToken(SECRET, { token, domain: 'mail.test', at: AT + 9 * 86_400_000 })).toBe(ID);
  });

  it('writes a mail that says who wrote what and when', async () => {
    const { rendering, envelope, mail } = await render();
    expect(mail.from?.value).toEqual([{ name: 'bob.eth', address: 'bob.eth@mail.test' }]);
    expect(mail.to).toMatchObject({ value: [{ address: 'alice@example.com' }] });
    expect(mail.subject).toBe('Hello Alice');
    expect(mail.text?.trim()).toBe('Hello **Alice**');
    expect(mail.html).toContain('<p>Hello <strong>Alice</strong></p>');
    expect(mail.date?.getTime()).toBe(AT);
    expect(mail.messageId).toBe(`<dm3.${ID}@mail.test>`);
    expect(rendering.remoteIds).toEqual([mail.messageId]);
    expect(mail.headers.has('x-mailer')).toBe(false);
    expect(envelope.to).toBe('alice@example.com');
    const token = /^b\+(.*)@mail\.test$/.exec(envelope.from)![1]!;
    expect(readBounceToken(SECRET, { token, domain: 'mail.test', at: AT })).toBe(ID);
  });

  it('gives the same bytes for the same message', async () => {
    const attachments = [{ name: 'a.txt', mediaType: 'text/plain', content: { bytes: Buffer.from('abc') } }];
    const first = await render({ attachments });
    const second = await render({ attachments });
    expect(Buffer.from(second.rendering.body).equals(Buffer.from(first.rendering.body))).toBe(true);
  });

  it('marks itself against loops', async () => {
    const { raw } = await render();
    const [mark] = headerValues(splitMail(raw).header, LOOP_HEADER);
    expect(isOwnLoopMark(SECRET, mark!)).toBe(true);
    expect(isOwnLoopMark(new Uint8Array(32), mark!)).toBe(false);
  });

  it('answers in the thread, from the domain that the peer wrote to, in his spelling', async () => {
    const { rendering, envelope, mail } = await render(
      { type: 'reply' },
      { conversation: CONTEXT, target: '<b@x>' as RemoteId },
    );
    expect(mail.subject).toBe('Re: Lunch');
    expect(mail.inReplyTo).toBe('<b@x>');
    expect(mail.references).toEqual(['<a@x>', '<b@x>']);
    expect(mail.from?.value[0]?.address).toBe('bob.eth@two.test');
    expect(mail.to).toMatchObject({ value: [{ name: 'Alice', address: 'Alice@example.com' }] });
    expect(envelope.to).toBe('Alice@example.com');
    expect(rendering.conversation).toEqual({ ...CONTEXT, references: ['<a@x>', '<b@x>', `<dm3.${ID}@two.test>`] });
  });

  it('refers to an older message and to one it has never seen', async () => {
    const older = await render({}, { conversation: CONTEXT, target: '<a@x>' as RemoteId });
    expect(older.mail.references).toBe('<a@x>');
    expect(older.rendering.conversation).toMatchObject({ references: ['<b@x>', '<a@x>', `<dm3.${ID}@two.test>`] });
    const unseen = await render({}, { conversation: CONTEXT, target: '<z@x>' as RemoteId });
    expect(unseen.mail.references).toEqual(['<a@x>', '<b@x>', '<z@x>']);
    const untargeted = await render({}, { conversation: CONTEXT });
    expect(untargeted.mail.inReplyTo).toBe('<b@x>');
  });

  it.each([
    ['Re: Lunch', 'Re: Lunch'],
    ['RE: Lunch', 'RE: Lunch'],
    ['Lunch', 'Re: Lunch'],
    ['Résumé 🦊', 'Re: Résumé 🦊'],
  ])('answers to %j with %j', async (subject, expected) => {
    expect((await render({}, { conversation: { ...CONTEXT, subject } })).mail.subject).toBe(expected);
  });

  it.each([
    ['# A [link](https://x.test)!\n\nmore', 'A link!'],
    ['', 'Message from bob.eth'],
    ['x'.repeat(100), `${'x'.repeat(77)}…`],
  ])('opens a thread with a subject made from %j', async (text, expected) => {
    expect((await render({ text })).mail.subject).toBe(expected);
  });

  it('writes names of other scripts in punycode', async () => {
    const { mail } = await render({}, { from: { ...BOB, name: '🦊.eth' as EnsName } });
    expect(mail.from?.value).toEqual([{ name: '🦊.eth', address: 'xn--9s9h.eth@mail.test' }]);
  });

  it('carries attachments, and links as links', async () => {
    const { mail } = await render({
      attachments: [
        { name: 'Übersicht.pdf', mediaType: 'application/pdf', content: { bytes: Buffer.from([0, 13, 10, 255]) } },
        { name: 'old.eml', mediaType: 'message/rfc822', content: { bytes: Buffer.from('From: x\n\ny') } },
        { name: 'evil', mediaType: 'text/html\r\nX-Evil: 1', content: { bytes: Buffer.from('x') } },
        { name: 'film.mp4', mediaType: 'video/mp4', content: { uri: 'https://x.test/a b>' } },
      ],
    });
    expect(mail.attachments.map(({ filename, content }) => [filename, content])).toEqual([
      ['Übersicht.pdf', Buffer.from([0, 13, 10, 255])],
      ['old.eml', Buffer.from('From: x\n\ny')],
      ['evil', Buffer.from('x')],
    ]);
    expect(mail.attachments[2]?.contentType).toBe('application/octet-stream');
    expect(mail.text).toContain('- film.mp4: <https://x.test/a%20b%3E>');
  });

  it('heads an edit, and refuses what mail cannot do', async () => {
    expect((await render({ type: 'edit', text: 'new words' })).mail.text?.trim()).toBe('Edited:\n\nnew words');
    for (const type of ['delete', 'read-opened', 'read-received'] as const) {
      await expect(render({ type })).rejects.toMatchObject({ code: 'UNSUPPORTED_MESSAGE', retryable: false });
    }
  });

  it('ends with a footer only where wanted', async () => {
    expect((await render({}, {}, { ...OPTIONS, footer: true })).mail.text).toMatch(/\n-- \nbob\.eth writes over dm3/);
    expect((await render()).mail.text).not.toContain('dm3;');
  });

  it('keeps HTML of the author as text', async () => {
    const { mail } = await render({ text: '<script>alert(1)</script> [x](javascript:alert)' });
    expect(mail.html).not.toMatch(/<script|href="javascript/);
  });

  it('refuses an address that would name somebody else', async () => {
    const to = 'mailto:a@b.test\r\nRCPT TO:<z@z.test>' as ForeignAddress;
    await expect(render({}, { to })).rejects.toMatchObject({ code: 'BAD_ADDRESS', retryable: false });
  });

  it.each(['rsa', 'ed25519'] as const)('signs with an %s key, the same way each time', async (type) => {
    const { privateKey } =
      type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const dkim = { domain: null, selector: 'dm3', privateKey: pem };
    const first = await render({}, {}, { ...OPTIONS, dkim });
    expect((await render({}, {}, { ...OPTIONS, dkim })).raw.equals(first.raw)).toBe(true);
    const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
    const record =
      type === 'rsa' ? `k=rsa; p=${spki.toString('base64')}` : `k=ed25519; p=${spki.subarray(-32).toString('base64')}`;
    const resolver = async (name: string) => (name === 'dm3._domainkey.mail.test' ? [[`v=DKIM1; ${record}`]] : []);
    const { results } = await dkimVerify(first.raw, { resolver });
    expect(results[0]?.status.result).toBe('pass');
  });
});

describe('toEmail against injection', () => {
  const nasty = fc.string({
    unit: fc.oneof(
      fc.constantFrom('\r', '\n', '\r\n', '\0', '"', '<', '>', ':', '\u202e', '@', ' '),
      anyText({ maxLength: 4 }),
    ),
  });
  const text = fc.oneof(
    nasty,
    nasty.map((tail) => `x\r\nBcc: evil@evil.test\r\n${tail}`),
    nasty.map((tail) => `.\r\n${tail}`),
  );
  const HEADERS = new Set([
    'content-type',
    'content-transfer-encoding',
    'content-disposition',
    'x-dm3-loop',
    'from',
    'to',
    'subject',
    'in-reply-to',
    'references',
    'message-id',
    'date',
    'mime-version',
  ]);

  it('writes no header, receiver, part or line end that the author smuggled in', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, text, text, async (words, subject, fileName, name) => {
        const attachments = [{ name: fileName, mediaType: 'text/plain', content: { bytes: Buffer.from('content') } }];
        const conversation = {
          ...CONTEXT,
          subject,
          peer: { address: 'alice@example.com', name },
          references: [name, '<a@x>'],
        };
        const { raw, mail, envelope } = await render(
          { text: words, attachments },
          { conversation, from: { ...BOB, name: name as EnsName }, target: '<a@x>' as RemoteId },
        );
        refuseBareLineEnds(raw);
        expect(mail.headerLines.map(({ key }) => key).filter((key) => !HEADERS.has(key))).toEqual([]);
        expect(envelope.to).toBe('alice@example.com');
        expect(mail.to).toMatchObject({ value: [{ address: 'alice@example.com' }] });
        expect(mail.from?.value).toHaveLength(1);
        expect(mail.from?.value[0]?.address).toMatch(/^[^@\s]+@two\.test$/);
        expect(mail.references).toBe('<a@x>');
        expect(mail.attachments.map(({ content }) => content.toString())).toEqual(['content']);
      }),
      { numRuns: howOften(300, 60) },
    );
  });
});
