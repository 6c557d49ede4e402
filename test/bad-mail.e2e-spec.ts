import { generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { dkimSign } from 'mailauth';
import { createTransport } from 'nodemailer';
import type { DnsResolver } from '../src/adapters/email/dns.js';
import type { EnsName, EthAddress } from '../src/common/ids.js';
import { registerName, setAddr } from '../src/naming/contracts/deploy.js';
import { LOOPBACK } from '../src/sandbox/ports.js';
import { startChainLink, type ChainLink } from './support/chain-link.js';
import { Correspondent, type Letter } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { startForeignService } from './support/foreign-service.js';
import { mutatedMail } from './support/mutated-mail.js';
import { crlf, SmtpClient } from './support/smtp-client.js';
import { DOMAIN, SERVICE, TestGateway } from './support/test-gateway.js';

const SIZE_LIMIT = 400_000;
const FUZZ_MS = 5_000;
const BOB = `bob.eth@${DOMAIN}`;
const FROM = 'From: Carol <carol@example.com>';
const FIXTURES = new URL('fixtures/eml/', import.meta.url);
const fixtures = fs.readdirSync(FIXTURES).filter((file) => file.endsWith('.eml'));
const fixture = (file: string) => crlf(fs.readFileSync(new URL(file, FIXTURES)));

const dkim = generateKeyPairSync('rsa', { modulusLength: 2048 });
const dkimRecord = dkim.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
/** Where mail may come from by its sender's word; ours comes from 127.0.0.1. */
const ZONE: Readonly<Record<string, string>> = {
  'honest.example': 'v=spf1 ip4:127.0.0.1 -all',
  '_dmarc.honest.example': 'v=DMARC1; p=reject',
  'signing.example': 'v=spf1 -all',
  '_dmarc.signing.example': 'v=DMARC1; p=reject',
  'key._domainkey.signing.example': `v=DKIM1; k=rsa; p=${dkimRecord}`,
};
const dns: DnsResolver = async (name, type) => {
  const text = ZONE[name];
  if (type === 'TXT' && text !== undefined) return [[text]];
  throw Object.assign(new Error('no such record'), { code: 'ENOTFOUND' });
};

let chain: ChainLink;
let gateway: TestGateway;
let bob: Correspondent;
let client: SmtpClient;

beforeAll(async () => {
  chain = await startChainLink();
  const deliveryService = { name: SERVICE, signUp: { policy: 'open' as const }, sizeLimit: SIZE_LIMIT };
  gateway = await TestGateway.create({ rpcUrl: chain.rpcUrl, dns, settings: { deliveryService } });
  bob = new Correspondent(gateway, gateway.bob);
  client = await SmtpClient.connect(gateway.smtpPort);
});
afterAll(async () => {
  client.close();
  await gateway.stop();
  await chain.stop();
});

let mails = 0;
/** Headers and body with a Message-ID of their own. */
function mail(body: string, ...headers: string[]): string {
  mails += 1;
  return [...headers, `Message-ID: <${mails}@suite.test>`, '', body, ''].join('\r\n');
}

const sendToBob = (text: string | Buffer, from?: string) => client.deliver(text, { to: BOB, from });
const idOf = (reply: string) => /^250 2\.0\.0 Ok: ([0-9a-f-]{36})$/.exec(reply)?.[1];

/** What an accepted mail became in bob's hands. */
async function letterFor(reply: string): Promise<Letter> {
  const id = idOf(reply);
  expect(`${reply} ${id}`).toMatch(/^250 /);
  await allDelivered([id!]);
  return (await bob.inbox()).at(-1)!;
}

async function allDelivered(ids: readonly string[]): Promise<void> {
  const sql = `SELECT count(*)::int AS count FROM message WHERE id = ANY($1) AND state = 'delivered'`;
  await eventually('delivery', async () => {
    const [row] = await gateway.db.query<{ count: number }>(sql, [ids]);
    return row!.count === ids.length;
  });
}

async function messagesTaken(): Promise<number> {
  const [row] = await gateway.db.query<{ count: number }>('SELECT count(*)::int AS count FROM message');
  return row!.count;
}

/** Something to read, and nothing that a terminal would obey. */
function expectReadable({ genuine, message }: Letter): void {
  expect(message.message).toMatch(/\S/);
  expect(message.message).not.toMatch(/[^\P{Cc}\n\t]/u);
  expect(genuine).toBe(true);
}

describe('A mail to nobody', () => {
  beforeAll(async () => {
    const { registry, plainResolver: resolver } = gateway.world;
    const name = 'plain.eth' as EnsName;
    await registerName(gateway.deployer, { registry, resolver, name });
    await setAddr(gateway.deployer, { resolver, name, address: `0x${'ab'.repeat(20)}` as EthAddress });
  });

  it.each([
    ['a name that does not exist', 'nobody.eth', /^550 5\.1\.1 .*nobody\.eth/],
    ['a bare name', 'bob', /^550 5\.1\.1 .*bob\.eth@gateway\.test/],
    ['somebody outside dm3', 'x._at.victim.com.email.gateway.eth', /^550 5\.7\.1 .*does not relay/],
    ['the same by its top-level form', 'x._at.victim.com.email', /^550 5\.7\.1 .*does not relay/],
    ['the same in capitals', 'X._AT.Victim.com.EMAIL', /^550 5\.7\.1 .*does not relay/],
    ['the percent hack', 'x%victim.com', /^550 5\.1\.1 /],
    ['what is no name', 'b{o}b.eth', /^550 5\.1\.1 /],
    ['a made-up bounce', 'b+aaaaaaaa', /^550 5\.7\.1 /],
    ['noreply', 'noreply', /^550 5\.1\.1 /],
  ])('is refused with the reason: %s', async (_, local, reply) => {
    expect(await client.recipient(`${local}@${DOMAIN}`)).toMatch(reply);
  });

  it('is refused for a name without a dm3 profile', async () => {
    expect(await client.recipient(`plain.eth@${DOMAIN}`)).toMatch(/^550 5\.1\.1 .*plain\.eth/);
  });

  it.each(['bob.eth@elsewhere.test', `bob.eth@${DOMAIN}.elsewhere.test`])(
    'is refused for another domain: %s',
    async (path) => {
      expect(await client.recipient(path)).toMatch(/^550 5\.7\.1 /);
    },
  );

  it('is asked to come back while the chain is away', async () => {
    chain.cut();
    const refusal = () => client.recipient(BOB).then((reply) => !reply.startsWith('250') && reply);
    const reply = await eventually('what is cached to be forgotten', refusal).finally(chain.mend);
    expect(reply).toMatch(/^451 4\.4\.3 .*Try again later/);
    expect(await client.recipient(BOB)).toMatch(/^250 /);
  });
});

describe('A mail that is too large for its receiver', () => {
  it('is refused by the limit of our own delivery service', async () => {
    expect(await sendToBob(mail('x'.repeat(300_000).replace(/.{70}/g, '$&\r\n'), FROM))).toMatch(
      /^552 5\.3\.4 .*takes 400000 bytes at most/,
    );
  });

  it('is refused by the limit of any other, which takes what is smaller', async () => {
    const service = await startForeignService(gateway, { name: 'ds.small.eth', sizeLimit: 100_000 });
    await gateway.addPerson('dave.eth', { deliveryService: service.name });
    const to = `dave.eth@${DOMAIN}`;
    const large = mail('x'.repeat(90_000).replace(/.{70}/g, '$&\r\n'), FROM);
    expect(await client.deliver(large, { to })).toMatch(/^552 5\.3\.4 .*takes 100000 bytes at most/);
    const reply = await client.deliver(mail('A few words.', FROM), { to });
    await allDelivered([idOf(reply)!]);
    expect(service.envelopes).toHaveLength(1);
    await service.stop();
  });
});

describe('A mail from the world as it is', () => {
  it.each(fixtures)('arrives readable: %s', async (file) => {
    expectReadable(await letterFor(await sendToBob(fixture(file))));
  });

  it.each([
    ['without text', mail('', FROM), '(empty message)'],
    ['without a header', 'Only words, and no line that ends a header', '(empty message)'],
    [
      'that is HTML alone',
      mail('<p>Hello <b>bold</b></p><script>bad()</script>', FROM, 'Content-Type: text/html'),
      'Hello **bold**',
    ],
    ['in an unknown charset', mail('Plain', FROM, 'Content-Type: text/plain; charset="klingon"'), 'Plain'],
    ['with zero bytes', mail('a\0b', FROM), 'ab'],
    ['in one line', mail(`begin${'x'.repeat(100_000)}end`, FROM), `begin${'x'.repeat(100_000)}end`],
    [
      'with a boundary that never comes',
      mail('Words', FROM, 'Content-Type: multipart/mixed; boundary=none'),
      '(empty message)',
    ],
  ])('arrives %s', async (_, text, expected) => {
    const letter = await letterFor(await sendToBob(text));
    expectReadable(letter);
    expect(letter.message.message!.split('\n\n').at(-1)).toBe(expected);
  });

  it('arrives with each of 900 parts', async () => {
    const parts = Array.from({ length: 900 }, (_, index) => `Content-Disposition: attachment\r\n\r\n${index}`);
    const { message } = await letterFor(await sendToBob(multipart(parts)));
    expect(message.attachments).toHaveLength(900);
  });

  it.each([
    ['more parts than anybody reads', () => multipart(Array(1_100).fill('\r\nx')), /^550 5\.6\.0 /],
    ['parts in parts in parts', () => nested(200), /^550 5\.6\.0 /],
    ['a header of 300 KB', () => mail('x', FROM, `X-Long: ${'x'.repeat(300_000)}`), /^552 5\.3\.4 /],
    ['fifty hops behind it', () => mail('x', FROM, ...Array<string>(51).fill('Received: x')), /^554 5\.4\.6 /],
  ])('is refused with %s', async (_, make, reply) => {
    expect(await sendToBob(make())).toMatch(reply);
    expect(await client.command('NOOP')).toMatch(/^250 /);
  });
});

function multipart(parts: readonly string[]): string {
  const body = parts.map((part) => `--b\r\n${part}\r\n`).join('');
  return mail(`${body}--b--`, FROM, 'Content-Type: multipart/mixed; boundary=b');
}

function nested(depth: number): string {
  const levels = Array.from(
    { length: depth },
    (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\r\n\r\n--b${at}`,
  );
  return `${FROM}\r\n${levels.join('\r\n')}\r\n\r\nx\r\n`;
}

describe('A mail made to deceive', () => {
  it('cannot put lines or controls anywhere', async () => {
    const evil = mail(
      'Words',
      'From: =?utf-8?Q?Carol=0D=0AX-Evil:_1=07?= <carol@example.com>',
      'Subject: =?utf-8?Q?Hi=0D=0ABcc:_x@victim.test=00=1B[31m?=',
    );
    const letter = await letterFor(await sendToBob(evil));
    expectReadable(letter);
    expect(letter.message.message).toContain(String.raw`**Hi Bcc: x@victim.test \[31m**`);
    await bob.send({ to: letter.message.metadata.from, text: 'Back to you', answers: letter.hash });
    const { raw, to } = await eventually('the answer', async () =>
      (await gateway.sentMail()).find(({ raw }) => raw.includes('Back to you')),
    );
    expect(to).toEqual(['carol@example.com']);
    const [header] = raw.split('\r\n\r\n');
    expect(header!.split(/\r\n(?![ \t])/).map((line) => line.split(':')[0])).toEqual(
      expect.not.arrayContaining(['X-Evil', 'Bcc']),
    );
  });

  it.each(['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r\n.\r', '\r.\r\n'])(
    'does not smuggle a second one behind %j',
    async (end) => {
      const before = await messagesTaken();
      const second = `MAIL FROM:<boss@example.com>\r\nRCPT TO:<${BOB}>\r\nDATA\r\n${mail('Smuggled', FROM)}`;
      await client.begin({ to: BOB });
      client.write(`${mail('First', FROM)}${end}${second}.\r\n`);
      expect(await client.reply()).toMatch(/^550 5\.6\.0 /);
      expect(await client.command('NOOP')).toMatch(/^250 /);
      expect(await messagesTaken()).toBe(before);
    },
  );

  it('suppresses no other by taking its Message-ID', async () => {
    const id = 'Message-ID: <known@example.com>';
    const forged = [FROM, id, '', 'The forgery', ''].join('\r\n');
    const honest = [FROM, id, '', 'The real one', ''].join('\r\n');
    await letterFor(await sendToBob(forged));
    expect((await letterFor(await sendToBob(honest))).message.message).toContain('The real one');
  });
});

describe('A mail that breaks off or repeats itself', () => {
  it.each([
    ['resets', (broken: SmtpClient) => void broken.socket.resetAndDestroy()],
    ['leaves', (broken: SmtpClient) => void broken.socket.end()],
  ])('is not delivered by half when the sender %s', async (_, leave) => {
    const before = await messagesTaken();
    const broken = await SmtpClient.connect(gateway.smtpPort);
    await broken.begin({ to: BOB });
    broken.write(mail('The first half of', FROM));
    leave(broken);
    await letterFor(await sendToBob(mail('Still here', FROM)));
    expect(await messagesTaken()).toBe(before + 1);
  });

  it('is one message, with one id', async () => {
    const text = mail('Once is enough', FROM);
    const replies = [await sendToBob(text), await sendToBob(text)];
    expect(idOf(replies[1]!)).toBe(idOf(replies[0]!));
    await letterFor(replies[0]!);
    const texts = (await bob.inbox()).map(({ message }) => message.message!);
    expect(texts.filter((each) => each.includes('Once is enough'))).toHaveLength(1);
  });
});

describe('A sender', () => {
  const from = (domain: string) => `From: Boss <boss@${domain}>`;
  const textFrom = async (domain: string, raw: string | Buffer) =>
    (await letterFor(await sendToBob(raw, `boss@${domain}`))).message.message;

  it('whose server may send is not marked', async () => {
    expect(await textFrom('honest.example', mail('Pay me', from('honest.example')))).toBe('Pay me');
  });

  it('who signs is not marked', async () => {
    expect(await textFrom('signing.example', await signed(mail('Pay me', from('signing.example'))))).toBe('Pay me');
  });

  it.each([
    ['whose server may not send', async () => mail('Pay me', from('signing.example'))],
    [
      'whose words were changed',
      async () => (await signed(mail('Pay him', from('signing.example')))).replace('him', 'me'),
    ],
  ])('%s is marked, with what failed', async (_, make) => {
    const text = await textFrom('signing.example', await make());
    expect(text).toMatch(/^⚠ Unverified sender \(SPF fail, DKIM (none|neutral), DMARC fail\)\n\nPay me$/);
  });

  it('nobody vouches for is marked', async () => {
    expect(await textFrom('example.com', mail('Pay me', from('example.com')))).toMatch(
      /^⚠ Unverified sender \(SPF none/,
    );
  });

  it('with an honest envelope but another author in From is marked', async () => {
    expect(await textFrom('honest.example', mail('Pay me', from('signing.example')))).toMatch(/^⚠ .*DMARC fail/);
  });
});

async function signed(text: string): Promise<string> {
  const privateKey = dkim.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const key = { signingDomain: 'signing.example', selector: 'key', privateKey };
  const { signatures } = await dkimSign(Buffer.from(text), { ...key, signatureData: [key] });
  return `${signatures}${text}`;
}

describe('Mails mutated at random', () => {
  it('are delivered readable or refused for good, each of them', async () => {
    const eve = new Correspondent(gateway, await gateway.addPerson('eve.eth', { signUp: true }));
    const accepted = new Set<string>();
    const handIn = async (text: Buffer) => {
      const reply = await client.deliver(text, { to: `eve.eth@${DOMAIN}` });
      expect(reply).toMatch(/^(250 2\.0\.0 Ok: |55\d 5\.\d\.\d )/);
      const id = idOf(reply);
      if (id) accepted.add(id);
    };
    let last: Promise<void> = Promise.resolve(); // when the time is over, nobody else waits for it
    const property = fc.asyncProperty(mutatedMail(fixtures.map(fixture)), (text) => (last = handIn(text)));
    await fc.assert(property, { numRuns: 400, interruptAfterTimeLimit: FUZZ_MS });
    await last;
    await allDelivered([...accepted]);
    const letters = await eve.inbox();
    letters.forEach(expectReadable);
    expect(letters).toHaveLength(accepted.size);
    expect(accepted.size).toBeGreaterThan(0);
  });
});

describe('After all of that', () => {
  it('a normal mail arrives as it always did', async () => {
    const transport = createTransport({ host: LOOPBACK, port: gateway.smtpPort, tls: { rejectUnauthorized: false } });
    const { response } = await transport.sendMail({
      from: 'Ännie <annie@honest.example>',
      to: BOB,
      subject: 'Grüße 🦊',
      text: 'Everything as usual, naïvely.',
      attachments: [{ filename: 'Rechnung №1.pdf', content: Buffer.from([0, 1, 2, 255]) }],
    });
    const { message, genuine } = await letterFor(response);
    expect(genuine).toBe(true);
    expect(message).toMatchObject({
      message: '**Grüße 🦊**\n\nEverything as usual, naïvely.',
      metadata: { from: 'annie._at.honest.example.email.gateway.eth', type: 'NEW' },
      attachments: [{ name: 'Rechnung №1.pdf', data: 'data:application/pdf;base64,AAEC/w==' }],
    });
  });
});
