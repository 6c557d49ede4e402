import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { Traffic } from '../src/delivery/traffic/traffic.js';
import { Correspondent } from './support/correspondent.js';
import { RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { expectRestError } from './support/expect-refusal.js';
import { ask, type HttpAnswer } from './support/http-answer.js';
import { LiveClient } from './support/live-client.js';
import { MailServer, type TakenMail } from './support/mail-server.js';
import { PushService } from './support/push-service.js';
import { startSecondGateway } from './support/second-gateway.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const MAILBOX = 'bob@example.org';
const EMAIL = { notificationChannelType: 'EMAIL' };
const PUSH = { notificationChannelType: 'PUSH' };

let gateway: TestGateway;
let mailServer: MailServer;
let pushService: PushService;
let alice: Correspondent;
let bob: Correspondent;
/** Of Bob's session. */
let token: string;

beforeAll(async () => {
  [mailServer, pushService] = [await MailServer.reserve(), await PushService.start()];
  await mailServer.start();
  gateway = await TestGateway.create({
    email: { outgoing: { smartHost: mailServer.address } },
    settings: { notifications: { delaySeconds: 1 } },
  });
  alice = new Correspondent(gateway, gateway.alice);
  bob = new Correspondent(gateway, gateway.bob);
  token = await bob.token();
});
beforeEach(async () => {
  mailServer.mails.length = 0;
  mailServer.knows = () => true;
  mailServer.mood = 'takes';
  pushService.pushes.length = 0;
  pushService.status = 201;
  await gateway.db.query('TRUNCATE notification_channel, notification_code, mailbox CASCADE');
  await call('global/bob.eth', { isEnabled: true });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([mailServer.stop(), pushService.stop()]);
});

/** As clients call it, with a body or without; Bob's session unless said otherwise. */
function call(path: string, body?: unknown, request: { token?: string; method?: string } = {}): Promise<HttpAnswer> {
  return ask(`${gateway.deliveryServiceUrl}/notifications/${path}`, { token, body, ...request });
}

async function channels(name = 'bob.eth'): Promise<unknown> {
  return ((await call(name)).json as { notificationChannels: unknown }).notificationChannels;
}

function expectOk(answer: HttpAnswer): void {
  expect(answer).toMatchObject({ status: 200, text: 'OK' });
}

/** The code in the last mail. */
async function code(): Promise<string> {
  const { text } = await simpleParser(mailServer.mails.at(-1)!.raw);
  return /code is (\d{5})\./.exec(text!)![1]!;
}

const add = (recipientValue: unknown, type: object = EMAIL, name = 'bob.eth') =>
  call(name, { recipientValue, ...type });
const verify = (otp: unknown) => call('otp/verify/bob.eth', { otp, ...EMAIL });
const timePasses = (seconds: number) =>
  gateway.db.query('UPDATE notification_code SET sent_at = sent_at - make_interval(secs => $1)', [seconds]);
const mailsTo = (mailbox: string): TakenMail[] => mailServer.mails.filter(({ to }) => to.includes(mailbox));
const unused = (text: string) => String(((Number(text) - 10_000 + 1) % 90_000) + 10_000);
const write = (to = 'bob.eth') => alice.send({ to, text: 'the secret plan' });

async function withMail(): Promise<void> {
  expectOk(await add(MAILBOX));
  expectOk(await verify(await code()));
  mailServer.mails.length = 0;
}

describe('The delivery service', () => {
  it('says which channels it has, and none of its secrets', async () => {
    const body = { method: 'dm3_getDeliveryServiceProperties', params: [] };
    const { json } = await ask(`${gateway.deliveryServiceUrl}/rpc`, { body });
    const { notificationChannel } = JSON.parse((json as { result: string }).result) as Record<string, unknown>;
    expect(notificationChannel).toEqual([
      { type: 'EMAIL', config: {} },
      { type: 'PUSH', config: { publicVapidKey: expect.stringMatching(/^[\w-]{87}$/) } },
    ]);
  });

  it('has no mail where it has no mail network', async () => {
    const second = await startSecondGateway(gateway);
    try {
      const body = { recipientValue: MAILBOX, ...EMAIL };
      const answer = await ask(`${second.url}/ds/notifications/bob.eth`, { token, body });
      expectRestError(answer, 400, /EMAIL is not offered/);
    } finally {
      await second.stop();
    }
  });
});

describe('An account', () => {
  it('switches all of it on and off, under any of its names', async () => {
    const byAddress = `${gateway.bob.address}.addr.gateway.eth`;
    expectOk(await call('global/bob.eth', { isEnabled: false }));
    expect((await call(`global/${byAddress}`)).json).toEqual({ isEnabled: false });
    expectRestError(await add(MAILBOX), 400, /^Global notifications is off$/);
    expectOk(await call(`global/${byAddress}`, { isEnabled: true }));
    expect((await call('global/bob.eth')).json).toEqual({ isEnabled: true });
    expectOk(await add(pushService.subscription, PUSH, byAddress));
    expect(await channels('BOB.eth')).toEqual(await channels(byAddress));
    expect(await channels()).toHaveLength(1);
  });

  it('is asked for the session of its owner, for everything', async () => {
    const calls: [string, unknown?, string?][] = [
      ['global/bob.eth'],
      ['global/bob.eth', { isEnabled: true }],
      ['bob.eth'],
      ['bob.eth', { recipientValue: MAILBOX, ...EMAIL }],
      ['otp/bob.eth', EMAIL],
      ['otp/verify/bob.eth', { otp: '12345', ...EMAIL }],
      ['channel/bob.eth', { isEnabled: true, ...EMAIL }],
      ['channel/EMAIL/bob.eth', undefined, 'DELETE'],
    ];
    for (const stranger of ['nonsense', await alice.token()]) {
      for (const [path, body, method] of calls) {
        expectRestError(await call(path, body, { token: stranger, method }), 401, /Log in first/);
      }
    }
    expect(mailServer.attempts.filter(({ to }) => to.includes(MAILBOX))).toEqual([]);
  });

  it.each([
    ['bob.eth', {}],
    ['bob.eth', { recipientValue: MAILBOX }],
    ['bob.eth', { recipientValue: MAILBOX, notificationChannelType: 'PIGEON' }],
    ['bob.eth', { recipientValue: 7, ...EMAIL }],
    ['global/bob.eth', { isEnabled: 'yes' }],
    ['channel/bob.eth', EMAIL],
    ['otp/bob.eth', 'text'],
    ['otp/verify/bob.eth', EMAIL],
    ['otp/verify/bob.eth', { otp: 12345, ...EMAIL }],
  ])('is told that the schema is invalid: %s %j', async (path, body) => {
    expectRestError(await call(path, JSON.stringify(body)), 400, /^invalid schema$/);
  });

  it('has its channels switched and removed', async () => {
    expectOk(await add(JSON.stringify(pushService.subscription), PUSH));
    const { endpoint, keys } = pushService.subscription;
    const config = { recipientValue: JSON.stringify({ endpoint, keys }), isVerified: true };
    expect(await channels()).toEqual([{ type: 'PUSH', config: { ...config, isEnabled: true } }]);
    expectOk(await call('channel/bob.eth', { isEnabled: false, ...PUSH }));
    expect(await channels()).toEqual([{ type: 'PUSH', config: { ...config, isEnabled: false } }]);
    const message = 'Notification channel PUSH has been removed successfully';
    expect(await call('channel/PUSH/bob.eth', undefined, { method: 'DELETE' })).toMatchObject({ json: { message } });
    expect(await channels()).toEqual([]);
    expectRestError(await call('channel/PUSH/bob.eth', undefined, { method: 'DELETE' }), 400, /not configured/);
    expectRestError(await call('channel/bob.eth', { isEnabled: true, ...PUSH }), 400, /not configured/);
    expectRestError(await call('channel/PIGEON/bob.eth', undefined, { method: 'DELETE' }), 400, /invalid schema/);
  });
});

describe('A mail address', () => {
  it.each([
    'nobody',
    `alice.eth@${DOMAIN}`,
    'bob@example.org, eve@example.org',
    'bob@example.org\nBcc: eve@example.org',
  ])('is not %j', async (recipient) => {
    expectRestError(await add(recipient), 400, /Invalid email value/);
    expect(mailServer.mails).toEqual([]);
  });

  it('is used once its owner has typed the code', async () => {
    expectOk(await add(MAILBOX));
    const unverified = { recipientValue: MAILBOX, isEnabled: true, isVerified: false };
    expect(await channels()).toEqual([{ type: 'EMAIL', config: unverified }]);
    await write();
    const otp = await code();
    expectRestError(await verify(unused(otp)), 400, /^Invalid OTP/);
    expectOk(await verify(otp));
    expect(await channels()).toEqual([{ type: 'EMAIL', config: { ...unverified, isVerified: true } }]);
    expectRestError(await verify(otp), 400, /already verified/);
  });

  it('is not proved by guessing', async () => {
    expectOk(await add(MAILBOX));
    const otp = await code();
    for (let guess = 0; guess < 5; guess += 1) expectRestError(await verify(unused(otp)), 400, /^Invalid OTP/);
    expectRestError(await verify(otp), 400, /Too many wrong OTPs/);
  });

  it('gets another code after a minute, and no two at once', async () => {
    expectOk(await add(MAILBOX));
    const tooSoon = await call('otp/bob.eth', EMAIL);
    expectRestError(tooSoon, 400, /New OTP can be generated in \d+ seconds/);
    expect(Number(tooSoon.headers.get('retry-after'))).toBeGreaterThan(50);
    await timePasses(60);
    const answers = await Promise.all([1, 2, 3].map(() => call('otp/bob.eth', EMAIL)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400]);
    expect(mailsTo(MAILBOX)).toHaveLength(2);
    expectOk(await verify(await code()));
    expectRestError(await call('otp/bob.eth', EMAIL), 400, /already verified/);
  });

  it('that mail does not reach is said to be so', async () => {
    mailServer.knows = () => false;
    expectRestError(await add(MAILBOX), 400, /could not be sent there/);
    await timePasses(60);
    mailServer.knows = () => true;
    mailServer.mood = 'defers';
    expectRestError(await call('otp/bob.eth', EMAIL), 503, /Ask for another one/);
  });
});

describe('Somebody who is away', () => {
  it('is told by mail that a message waits, and nothing about it', async () => {
    await withMail();
    await write();
    const [taken] = await eventually('the mail', async () => mailsTo(MAILBOX).length > 0 && mailsTo(MAILBOX));
    expect(taken!.from).toBe('');
    const mail = await simpleParser(taken!.raw);
    expect(mail.subject).toBe('New dm3 message');
    expect(mail.from?.value[0]?.address).toBe(`noreply@${DOMAIN}`);
    expect(mail.headers.get('auto-submitted')).toBe('auto-generated');
    expect(mail.text).toMatch(/received a new message[^]*To switch it off/);
    expect(taken!.raw).not.toMatch(/alice|\.eth|secret plan/);
    expect(await bob.inbox()).toHaveLength(1);
  });

  it('is told by push as well, and both are counted', async () => {
    const counted = countNotifications();
    await withMail();
    expectOk(await add(pushService.subscription, PUSH));
    await write();
    const [push] = await eventually('the push', async () => pushService.pushes.length > 0 && pushService.pushes);
    expect(push).toMatchObject({ payload: { title: 'New Message', body: 'You received a new message.' } });
    await eventually('the mail', async () => mailsTo(MAILBOX).length === 1);
    await eventually('both to be counted', async () => (await counted()) === 2);
  });

  it('is not told of each message', async () => {
    expectOk(await add(pushService.subscription, PUSH));
    await write();
    await eventually('the push', async () => pushService.pushes.length === 1);
    await write();
    await tellCarol();
    expect(pushService.pushes).toHaveLength(1);
  });

  it('is told although the message came under another of the account’s names', async () => {
    expectOk(await add(pushService.subscription, PUSH));
    await write(`${gateway.bob.address}.addr.gateway.eth`);
    await eventually('the push', async () => pushService.pushes.length === 1);
  });

  it('whose browser unsubscribed has no such channel any more', async () => {
    await withMail();
    expectOk(await add(pushService.subscription, PUSH));
    pushService.status = 410;
    await write();
    await eventually('the channel to go', async () => ((await channels()) as unknown[]).length === 1);
    expect(await channels()).toMatchObject([{ type: 'EMAIL' }]);
  });
});

it('Somebody who is online is not told', async () => {
  expectOk(await add(pushService.subscription, PUSH));
  const live = await LiveClient.of(await RealClient.create(gateway, gateway.bob), gateway.url);
  await write();
  await live.hears(1);
  await tellCarol();
  live.close();
  expect(pushService.pushes).toEqual([]);
});

/** How many more notifications than now are counted, once what is counted is written down. */
function countNotifications(): () => Promise<number> {
  const total = async () => {
    await gateway.running.app.get(Traffic, { strict: false }).flush();
    const [row] = await gateway.db.query<{ sum: number }>(
      'SELECT coalesce(sum(notifications), 0)::int AS sum FROM traffic',
    );
    return row!.sum;
  };
  const before = total();
  return async () => (await total()) - (await before);
}

/** Whoever would have been told before has been: her message came later, and she was. */
async function tellCarol(): Promise<void> {
  const other = await PushService.start();
  try {
    const person = await carolOf();
    const session = { token: await person.token() };
    await call('global/carol.eth', { isEnabled: true }, session);
    await call('carol.eth', { recipientValue: other.subscription, ...PUSH }, session);
    await write('carol.eth');
    await eventually('Carol to be told', async () => other.pushes.length === 1);
  } finally {
    await other.stop();
  }
}

let carol: Promise<Correspondent> | undefined;

function carolOf(): Promise<Correspondent> {
  carol ??= gateway.addPerson('carol.eth', { signUp: true }).then((person) => new Correspondent(gateway, person));
  return carol;
}
