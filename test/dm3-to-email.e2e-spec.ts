import { createPublicKey, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dkimVerify } from 'mailauth';
import { dkimKey } from '../src/config/secret-files.js';
import { DIALECTS, encryptedHashOf, RealClient, shared, type Received } from './support/dm3-lib.js';
import { arrivedMail, exampleDns, mailFor, sendMail } from './support/mail.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const BOB = `bob.eth@${DOMAIN}`;
const CAROL = 'carol._at.example.org.email.gateway.eth';
const DORA = 'dora._at.example.org.email.gateway.eth';
const privateKey = dkimKey();

let gateway: TestGateway;
let bob: RealClient;
beforeAll(async () => {
  gateway = await TestGateway.create({ dns: exampleDns, email: { dkim: { selector: 'test', privateKey } } });
  bob = await RealClient.create(gateway, gateway.bob);
});
afterAll(() => gateway.stop());

describe.each(DIALECTS)('bob, whose client writes %s,', (dialect) => {
  it('writes a mail that comes from his ENS name and is signed', async () => {
    const text = 'Dear **reader**\n\nhow are you?';
    const to = `${dialect.toLowerCase()}._at.example.org.email.gateway.eth`;
    const { message } = await bob.send({ to, text }, { dialect });

    const mail = await arrivedMail(gateway, `${dialect.toLowerCase()}@example.org`, 'how are you?');
    expect(mail.captured.raw).toContain(`\r\nFrom: "bob.eth" <${BOB}>\r\n`);
    expect(mail.messageId).toBe(`<dm3.${hashOf(message)}@${DOMAIN}>`);
    expect(mail.subject).toBe('Dear reader');
    expect(mail.date).toEqual(new Date(Math.floor(message.metadata.timestamp / 1000) * 1000));
    expect(mail.text).toBe(text);
    expect(mail.html).toContain('Dear <strong>reader</strong>');
    expect(await dkimResults(mail.captured.raw)).toEqual([{ result: 'pass', aligned: DOMAIN }]);
  });

  it('answers a mail in its thread', async () => {
    const asked = await sendMail(gateway, { to: BOB, subject: 'Tea?', text: `Tea at five? ${dialect}` });
    const question = await bob.receive(`Tea at five? ${dialect}`);
    await bob.send({ to: DORA, text: `Yes, tea: ${dialect}`, about: hashIn(question, dialect) }, { dialect });

    const mail = await arrivedMail(gateway, 'dora@example.org', `Yes, tea: ${dialect}`);
    expect(mail).toMatchObject({ subject: 'Re: Tea?', inReplyTo: asked, references: asked });
    expect(mail.captured.raw).toContain('\r\nTo: Dora <dora@example.org>\r\n');
  });

  it('goes on without a reference in the latest thread', async () => {
    const asked = await sendMail(gateway, { to: BOB, subject: 'Cake?', text: `Cake at six? ${dialect}` });
    await bob.receive(`Cake at six? ${dialect}`);
    await bob.send({ to: DORA, text: `Cake, gladly: ${dialect}` }, { dialect });
    const first = await arrivedMail(gateway, 'dora@example.org', `Cake, gladly: ${dialect}`);
    expect(first).toMatchObject({ subject: 'Re: Cake?', inReplyTo: asked });

    await bob.send({ to: DORA, text: `And tea: ${dialect}` }, { dialect });
    const second = await arrivedMail(gateway, 'dora@example.org', `And tea: ${dialect}`);
    expect(second).toMatchObject({ subject: 'Re: Cake?', inReplyTo: first.messageId });
    expect(second.references).toEqual([asked, first.messageId]);
  });
});

it('knows the receiver by the top-level alias too', async () => {
  const to = 'carol._at.example.org.email';
  await bob.send({ to, text: 'in short' }, { lookUp: CAROL });
  expect((await arrivedMail(gateway, 'carol@example.org', 'in short')).captured.to).toEqual(['carol@example.org']);
});

it('sends attachments byte for byte, and passes links on as links', async () => {
  const content = Buffer.concat([Buffer.from([0, 255, 13, 10, 10, 13]), randomBytes(50_000)]);
  const attachments = [
    { name: 'Wiese für Carol.bin', data: `data:application/x-meadow;base64,${content.toString('base64')}` },
    { name: 'notes.txt', data: 'data:text/plain,one%0Atwo' },
    { name: 'map', data: 'https://example.org/map.png' },
  ];
  await bob.send({ to: CAROL, text: 'the plans', attachments });

  const mail = await arrivedMail(gateway, 'carol@example.org', 'the plans');
  const [binary, notes, ...others] = mail.attachments;
  expect(others).toEqual([]);
  expect(binary).toMatchObject({ filename: 'Wiese für Carol.bin', contentType: 'application/x-meadow' });
  expect(binary!.content.equals(content)).toBe(true);
  expect(notes).toMatchObject({ filename: 'notes.txt', contentType: 'text/plain' });
  expect(notes!.content.toString()).toBe('one\ntwo');
  expect(mail.text).toContain('map: <https://example.org/map.png>');
});

it('returns to the thread that a reply delivery instruction names, though a newer one exists', async () => {
  const older = await sendMail(gateway, { to: BOB, subject: 'Older', text: 'the older thread' });
  const { message } = await bob.receive('the older thread');
  await sendMail(gateway, { to: BOB, subject: 'Newer', text: 'the newer thread' });
  await bob.receive('the newer thread');
  const { replyDeliveryInstruction } = message.metadata;
  await bob.send({ to: DORA, text: 'back to the older' }, { deliveryInstruction: replyDeliveryInstruction });

  const mail = await arrivedMail(gateway, 'dora@example.org', 'back to the older');
  expect(mail).toMatchObject({ subject: 'Re: Older', inReplyTo: older });
});

it('cannot be led into somebody else’s thread', async () => {
  const alice = await RealClient.create(gateway, gateway.alice);
  await sendMail(gateway, { to: BOB, subject: 'For Bob', text: 'between us' });
  const { message, hash } = await bob.receive('between us');
  const { replyDeliveryInstruction } = message.metadata;
  const stolen = { deliveryInstruction: replyDeliveryInstruction };
  await alice.send({ to: DORA, text: 'let me in', about: hash }, stolen);

  const mail = await arrivedMail(gateway, 'dora@example.org', 'let me in');
  expect(mail.subject).toBe('let me in');
  expect([mail.inReplyTo, mail.references]).toEqual([undefined, undefined]);
});

it('sends one mail for an envelope that comes twice', async () => {
  const { envelope } = await bob.send({ to: CAROL, text: 'only once' });
  await arrivedMail(gateway, 'carol@example.org', 'only once');
  expect((await bob.submit(envelope)).status).toBe(200);
  await bob.send({ to: CAROL, text: 'after the repeat' });

  await arrivedMail(gateway, 'carol@example.org', 'after the repeat');
  const copies = (await mailFor(gateway, 'carol@example.org')).filter(({ text }) => text?.includes('only once'));
  expect(copies).toHaveLength(1);
});

describe('of what mail has no word for,', () => {
  it('an edit is a mail in the thread that says so', async () => {
    const { hash, message } = await bob.send({ to: CAROL, text: 'at 5' });
    await bob.send({ to: CAROL, type: 'EDIT', about: hash, text: 'make it 6' });

    const mail = await arrivedMail(gateway, 'carol@example.org', 'make it 6');
    expect(mail.text).toBe('Edited:\n\nmake it 6');
    expect(mail.inReplyTo).toBe(`<dm3.${hashOf(message)}@${DOMAIN}>`);
  });

  it('a reaction is an answer in words', async () => {
    const asked = await sendMail(gateway, { to: BOB, subject: 'Joke', text: 'a joke' });
    const { hash } = await bob.receive('a joke');
    await bob.send({ to: DORA, type: 'REACTION', about: hash, text: '😂' });

    const mail = await arrivedMail(gateway, 'dora@example.org', 'Reacted with 😂');
    expect(mail).toMatchObject({ subject: 'Re: Joke', inReplyTo: asked });
  });

  it('a deletion is refused with a notice', async () => {
    const { hash } = await bob.send({ to: CAROL, text: 'oh no' });
    const deletion = await bob.send({ to: CAROL, type: 'DELETE_REQUEST', about: hash });

    const notice = await bob.receive('cannot be taken back');
    expect(notice.message.metadata).toMatchObject({
      type: 'REPLY',
      from: CAROL,
      referenceMessageHash: deletion.hash,
    });
    expect(notice.message.message).toMatch(/^\[dm3-gateway\] Your message to carol@example\.org /);
    expect(await bob.isSignedBySender(notice)).toBe(true);
  });

  it('receipts stay here', async () => {
    await sendMail(gateway, { to: BOB, text: 'did you read this?' });
    const { hash } = await bob.receive('did you read this?');
    const before = (await mailFor(gateway, 'dora@example.org')).length;
    await bob.send({ to: DORA, type: 'READ_RECEIVED', about: hash });
    await bob.send({ to: DORA, type: 'READ_OPENED', about: hash });
    await bob.send({ to: DORA, text: 'yes, I did' });

    await arrivedMail(gateway, 'dora@example.org', 'yes, I did');
    expect(await mailFor(gateway, 'dora@example.org')).toHaveLength(before + 1);
  });
});

const hashOf = (message: object): string => shared.sha256(shared.stringify(message)!).slice(2);

/** As a client of the dialect would refer to it. */
function hashIn({ envelope, message }: Received, dialect: (typeof DIALECTS)[number]): string {
  return dialect === 'messageHash' ? `0x${hashOf(message)}` : encryptedHashOf(envelope);
}

/** What a mail server that knows our public key finds. */
async function dkimResults(raw: string) {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
  const resolver = async (name: string) => {
    if (name === `test._domainkey.${DOMAIN}`) return [[`v=DKIM1; k=rsa; p=${publicKey}`]];
    throw Object.assign(new Error('no such record'), { code: 'ENOTFOUND' });
  };
  const { results } = await dkimVerify(raw, { resolver });
  return results.map(({ status }) => ({ result: status.result, aligned: status.aligned }));
}
