import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import type { MessageTrace, QueueView } from '../src/gateway/admin/admin.service.js';
import { QueuePressure } from '../src/outbox/pressure.js';
import { FakeNetwork } from './contract/fake-network.js';
import { Correspondent } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { ask } from './support/http-answer.js';
import { exampleDns, sendMail } from './support/mail.js';
import { OperatedGateway } from './support/operated-gateway.js';
import { crlf, SmtpClient } from './support/smtp-client.js';
import { DOMAIN, type TestGateway } from './support/test-gateway.js';

const CAROL = 'carol._at.example.com.email.gateway.eth';
const SLOW = { firstSeconds: 0.3, factor: 1, maxSeconds: 0.3 };

/** Where a notice can be taken back, and where it cannot. */
const [following, fake] = [new FakeNetwork('following'), new FakeNetwork()];
following.followsDelays = true;

let operated: OperatedGateway;
let gateway: TestGateway;
let alice: Correspondent;
let elsewhere: ForeignService;
let token: string;
beforeAll(async () => {
  operated = await OperatedGateway.create({
    dns: exampleDns,
    adapters: [following, fake].map((adapter) => ({ adapter, codec: adapter.codec })),
    settings: {
      delivery: {
        retry: { email: SLOW, dm3: SLOW, following: SLOW },
        pollSeconds: 0.2,
        delayNoticeSeconds: 1,
        backPressure: { maxWaiting: 100 },
      },
    },
  });
  ({ gateway } = operated);
  await operated.mailServer.start();
  alice = new Correspondent(gateway, gateway.alice);
  elsewhere = await startForeignService(gateway, { name: 'ds.foreign.eth' });
  await gateway.addPerson('dave.eth', { deliveryService: elsewhere.name });
  ({ stdout: token } = await command('token', 'add', '--scope', 'act'));
});
beforeEach(async () => {
  operated.mailServer.mood = 'takes';
  elsewhere.mood = 'takes';
  await nothingWaits();
  operated.mailServer.mails.length = 0;
});
afterAll(async () => {
  await operated.stop();
  await elsewhere.stop();
});

const command = async (...args: string[]) => {
  const { code, stdout, stderr } = await operated.run(...args);
  return { code, stdout: stdout.trim(), stderr: stderr.trim() };
};
const admin = (path: string, method = 'GET', body?: object) =>
  ask(`${gateway.adminUrl}/${path}`, { token, method, ...(body && { body }) });
const traceOf = async (id: string) => (await admin(`messages/${encodeURIComponent(id)}`)).json as MessageTrace;
const state = (id: string, wanted: string) =>
  eventually(`${id} is ${wanted}`, async () => {
    const trace = await traceOf(id);
    return trace.state === wanted && trace;
  });
const nothingWaits = () =>
  eventually('an empty queue', async () => (await gateway.db.query('SELECT FROM outbox_item')).length === 0);
/** Without the notice of a delay, which comes whenever the machine is slow. */
const eventsOf = async (id: string) =>
  (await traceOf(id)).history.map(({ event }) => event).filter((event) => event !== 'delay-told');
const mailsWith = (words: string) => operated.mailServer.mails.filter(({ raw }) => raw.includes(words));

describe('A message is found', () => {
  it('by the hash that the dm3 client knows, its Message-ID and our id, with every attempt and its answer', async () => {
    operated.mailServer.mood = 'defers';
    const hash = await alice.send({ to: CAROL, text: 'Patience' });
    const waiting = await eventually('two attempts', async () => {
      const trace = await traceOf(hash);
      return trace.history.filter(({ event }) => event === 'attempt-failed').length >= 2 && trace;
    });
    expect(waiting).toMatchObject({ direction: 'from-dm3', network: 'email', state: 'frozen', settledAt: null });
    expect(waiting.queue).toMatchObject({ state: 'waiting', lastCode: 'MAIL_DEFERRED', nextAt: expect.any(String) });
    expect(waiting.history.find(({ event }) => event === 'attempt-failed')).toMatchObject({
      event: 'attempt-failed',
      attempt: 1,
      code: 'MAIL_DEFERRED',
      answer: expect.stringContaining('Come back later'),
      nextAt: expect.any(String),
    });
    operated.mailServer.mood = 'takes';
    const { id, attempts } = await state(hash, 'delivered');
    expect(attempts).toBeGreaterThanOrEqual(3);
    const { messageId } = await simpleParser(mailsWith('Patience')[0]!.raw);
    for (const each of [messageId!, messageId!.slice(1, -1), hash.slice(2), hash.toUpperCase().replace('0X', '0x'), id])
      expect((await traceOf(each)).id).toBe(id);
    const { code, stdout } = await command('trace', messageId!);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('from dm3 to email: delivered') });
    expect(stdout).toMatch(/attempt 1 failed, MAIL_DEFERRED: .*Come back later/);
    expect(stdout).toMatch(/UTC {2}delivered, attempt \d/);
  });

  it('by the Message-ID of a mail that came in, for each of its receivers, and by the hash it arrived under', async () => {
    const id = '<several@example.org>';
    await sendMail(gateway, { to: [`alice.eth@${DOMAIN}`, `bob.eth@${DOMAIN}`], text: 'To both', messageId: id });
    const trace = await state(id, 'delivered');
    expect(trace).toMatchObject({ direction: 'to-dm3', network: 'email', others: [expect.any(String)] });
    const [letter] = (await alice.inbox()).filter(({ message }) => message.message?.includes('To both'));
    const found = await traceOf(letter!.hash);
    expect([trace.id, ...trace.others]).toContain(found.id);
    expect((await command('trace', id)).stdout).toContain('The same id also stands for');
  });

  it('not by what nobody knows, and the command says what it takes', async () => {
    expect((await admin('messages/%3Cnobody%40example.org%3E')).status).toBe(404);
    const { code, stderr } = await command('trace', '<nobody@example.org>');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^No message is known by this id\. Give/),
    });
  });
});

describe('Who writes is told once that it takes time', () => {
  it('on dm3 as an answer from the receiver, which is not told again and does not outlive the delay', async () => {
    operated.mailServer.mood = 'defers';
    const hash = await alice.send({ to: CAROL, text: 'It takes time' });
    const told = await eventually('the notice', async () =>
      (await alice.inbox()).find(({ message }) => message.metadata.referenceMessageHash === hash),
    );
    expect(told.message.message).toMatch(
      /^\[dm3-gateway\] Your message to carol@example\.com \(carol\._at\..*\) has not been delivered yet\./,
    );
    expect(told.message.message).toMatch(/We go on trying until \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    expect(told.genuine).toBe(true);
    await eventually('its note', async () => (await traceOf(hash)).history.some(({ event }) => event === 'delay-told'));
    operated.mailServer.mood = 'takes';
    await state(hash, 'delivered');
    const about = (await alice.inbox()).filter(({ message }) => message.metadata.referenceMessageHash === hash);
    expect(about).toHaveLength(1);
  });

  it('by mail as a delivery status notification (RFC 3464)', async () => {
    elsewhere.mood = 'fails';
    await sendMail(gateway, { to: `dave.eth@${DOMAIN}`, text: 'Hello Dave', messageId: '<late@example.org>' });
    const notice = await eventually('the notification', async () => mailsWith('Delayed mail')[0]);
    expect(notice).toMatchObject({ from: '', to: ['dora@example.org'] });
    expect(notice.raw).toMatch(/^Action: delayed\r$/m);
    expect(notice.raw).toMatch(/^Status: 4\.4\.7\r$/m);
    expect(notice.raw).toMatch(/^Will-Retry-Until: \w{3}, \d/m);
    expect(notice.raw).toContain('In-Reply-To: <late@example.org>');
    elsewhere.mood = 'takes';
    await state('<late@example.org>', 'delivered');
    expect(mailsWith('Delayed mail')).toHaveLength(1);
    expect(mailsWith('Undelivered mail')).toHaveLength(0);
  });

  describe('on a network where that can be taken back', () => {
    const toldOfDelay = (name: string, network = following) =>
      eventually(`a delay for ${name}`, async () =>
        network.arrivedFor(name).find(({ text }) => text.startsWith('DELAYED')),
      );
    const parcelsOf = (name: string, count: number) =>
      eventually(`${count} parcels for ${name}`, async () => {
        const parcels = following.arrivedFor(name);
        return parcels.length >= count && parcels;
      });

    it('once more when it has arrived, and elsewhere never', async () => {
      elsewhere.mood = 'fails';
      for (const network of [following, fake])
        await network.write({ from: 'nora', to: 'dave.eth', text: 'Hello Dave' });
      const told = await toldOfDelay('nora');
      await toldOfDelay('nora', fake);
      elsewhere.mood = 'takes';
      const [, end] = await parcelsOf('nora', 2);
      expect(end).toMatchObject({ kind: 'notice', text: 'ARRIVED: It has arrived.', replaces: told.id });
      await nothingWaits();
      expect(following.arrivedFor('nora')).toHaveLength(2);
      expect(fake.arrivedFor('nora')).toHaveLength(1);
    });

    it('in its place that it failed, and nothing more when an operator gets it through', async () => {
      elsewhere.mood = 'fails';
      const { id } = await following.write({ from: 'nils', to: 'dave.eth', text: 'Hello again' });
      const told = await toldOfDelay('nils');
      elsewhere.mood = 'refuses';
      const [, failed] = await parcelsOf('nils', 2);
      expect(failed).toMatchObject({ text: expect.stringContaining('FORWARDING_REFUSED'), replaces: told.id });
      elsewhere.mood = 'takes';
      await nothingWaits();
      expect((await command('queue', 'retry', id)).code).toBe(0);
      await state(id, 'delivered');
      const [, , end] = await parcelsOf('nils', 3);
      expect(end).toMatchObject({ text: 'ARRIVED: It has arrived.', replaces: told.id });
    });

    it('also if the network may have heard of it without our knowing: it is said for certain, and taken back', async () => {
      elsewhere.mood = 'fails';
      following.setMood('nick', 'busy');
      await following.write({ from: 'nick', to: 'dave.eth', text: 'Hello at last' });
      await eventually('an attempt', async () => following.attempts.some(({ to }) => to === following.address('nick')));
      elsewhere.mood = 'takes';
      await eventually(
        'Dave to have it',
        async () =>
          (
            await gateway.db.query(
              "SELECT FROM message WHERE network = 'following' AND state = 'delivered' AND direction = 'to-dm3'",
            )
          ).length === 3,
      );
      following.setMood('nick', 'take'); // whether the first attempt came through, nobody here knows
      const [told, end] = await parcelsOf('nick', 2);
      expect(told!.text).toMatch(/^DELAYED/);
      expect(end).toMatchObject({ text: 'ARRIVED: It has arrived.', replaces: told!.id });
    });
  });

  it('never an automatic mail', async () => {
    elsewhere.mood = 'fails';
    const headers = { 'Auto-Submitted': 'auto-generated' };
    await sendMail(gateway, { to: `dave.eth@${DOMAIN}`, text: 'Beep', messageId: '<robot@example.org>', headers });
    await eventually('the note that there is nothing to tell', async () => {
      const sql = 'SELECT FROM outbox_item WHERE notice_at IS NULL';
      return (await gateway.db.query(sql)).length > 0;
    });
    elsewhere.mood = 'takes';
    await state('<robot@example.org>', 'delivered');
    expect(mailsWith('Delayed mail')).toEqual([]);
  });
});

describe('An operator', () => {
  it('pauses and resumes a destination by command while the gateway runs', async () => {
    expect(await command('queue', 'pause', 'email', 'Example.COM')).toMatchObject({
      code: 0,
      stdout: 'Paused. Go on with: dm3-gateway queue resume email Example.COM',
    });
    const hash = await alice.send({ to: CAROL, text: 'Held back' });
    const other = await alice.send({ to: 'erin._at.example.net.email.gateway.eth', text: 'Not held back' });
    await state(other, 'delivered');
    expect(await traceOf(hash)).toMatchObject({ state: 'accepted', history: [] });
    const { stdout } = await command('queue');
    expect(stdout).toMatch(/^network +waiting/);
    expect(stdout).toMatch(/^email example\.com: paused since .* UTC; 1 pairs wait$/m);
    expect(await command('queue', 'resume', 'email', 'example.com')).toMatchObject({ code: 0, stdout: 'It goes on.' });
    await state(hash, 'delivered');
    expect(await command('queue', 'resume', 'email', 'example.com')).toMatchObject({
      code: 1,
      stderr: 'Nothing of this is paused or out of reach.',
    });
  });

  it('pauses and resumes a network over the admin port', async () => {
    expect((await admin('queue/pause', 'POST', { network: 'email' })).status).toBe(204);
    const hash = await alice.send({ to: CAROL, text: 'Held back, too' });
    const view = (await admin('queue')).json as QueueView;
    expect(view.networks.find(({ network }) => network === 'email')).toMatchObject({ pausedAt: expect.any(String) });
    expect((await traceOf(hash)).state).toBe('accepted');
    expect((await admin('queue/resume', 'POST', { network: 'email' })).status).toBe(204);
    await state(hash, 'delivered');
    expect((await admin('queue/resume', 'POST', { network: 'email' })).status).toBe(404);
    for (const body of [{}, { network: 'E Mail' }, { network: 'email', destination: '' }, { lane: 'email' }])
      expect((await admin('queue/pause', 'POST', body)).status).toBe(400);
  });

  it('sees what is out of reach, and lets it be tried at once', async () => {
    await operated.mailServer.stop();
    const hash = await alice.send({ to: CAROL, text: 'Nobody there' });
    const lane = await eventually('the trouble', async () =>
      ((await admin('queue')).json as QueueView).lanes.find(({ failures }) => failures >= 3),
    );
    expect(lane).toMatchObject({ network: 'email', destination: 'example.com', code: 'MAIL_HOST_UNREACHABLE' });
    expect((await command('queue')).stdout).toMatch(/^email example\.com: out of reach \d+ times in a row/m);
    await operated.mailServer.start();
    await state(hash, 'delivered');
    await eventually('a lane that is well', async () => ((await admin('queue')).json as QueueView).lanes.length === 0);
  });

  it('retries and discards dead letters by command', async () => {
    operated.mailServer.knows = () => false;
    const [again, never] = [
      await alice.send({ to: CAROL, text: 'Again' }),
      await alice.send({ to: CAROL, text: 'Never' }),
    ];
    const [first, second] = [await state(again, 'failed'), await state(never, 'failed')];
    const { stdout } = await command('queue', 'dead');
    for (const { id } of [first, second]) expect(stdout).toMatch(new RegExp(`^${id} +email +MAIL_REFUSED +1 `, 'm'));
    operated.mailServer.knows = () => true;
    expect(await command('queue', 'retry', first.id)).toMatchObject({ code: 0, stdout: 'It is in the queue again.' });
    expect(await command('queue', 'discard', second.id)).toMatchObject({ code: 0, stdout: 'Its content is erased.' });
    await state(again, 'delivered');
    expect(await eventsOf(again)).toEqual(['failed', 'retried']);
    expect([(await traceOf(never)).state, await eventsOf(never)]).toEqual(['discarded', ['failed', 'discarded']]);
    expect(await command('queue', 'dead')).toMatchObject({ stdout: 'There are no dead letters.' });
    expect(await command('queue', 'retry', second.id)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no dead letter/),
    });
    expect(await command('queue', 'retry', 'all')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^all is no id/),
    });
    expect(mailsWith('Never')).toEqual([]);
  });

  it('makes, lists and takes back tokens', async () => {
    const { stdout: reader } = await command('token', 'add');
    const as = (path: string, method = 'GET') => ask(`${gateway.adminUrl}/${path}`, { token: reader, method });
    expect((await as('queue')).status).toBe(200);
    expect((await as('queue/pause', 'POST')).status).toBe(403);
    const { stdout } = await command('token', 'list');
    const [, id] = /^([0-9a-f]{12}) +read +2/m.exec(stdout)!;
    expect(stdout).toMatch(/^[0-9a-f]{12} +read, act +2/m);
    expect(await command('token', 'remove', id!)).toMatchObject({ code: 0, stdout: 'It is of no use any more.' });
    expect((await as('queue')).status).toBe(401);
    expect(await command('token', 'remove', id!)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^There is no token/),
    });
  });
});

describe('When the queue is full', () => {
  it('every door asks to come back, repeats stay repeats, and what waits is delivered', async () => {
    const pressure = gateway.running.app.get(QueuePressure);
    expect((await admin('queue/pause', 'POST', { network: 'email' })).status).toBe(204);
    const hash = await alice.send({ to: CAROL, text: 'Waits in a full queue' });
    await gateway.db.query(
      `INSERT INTO outbox_item (head_id, seq, kind, ref, expires_at)
       SELECT head_id, seq + n, kind, gen_random_uuid(), expires_at FROM outbox_item, generate_series(1, 100) n`,
    );
    await pressure.measure();

    const client = await SmtpClient.connect(gateway.smtpPort);
    const mail = crlf('From: dora@example.org\nSubject: Hello\n\nIs there room?\n');
    const to = { from: 'dora@example.org', to: `bob.eth@${DOMAIN}` };
    expect(await client.deliver(mail, to)).toMatch(/^452 4\.3\.1 This gateway takes no messages at the moment/);
    const refused = await alice.submit(await alice.envelope({ to: CAROL, text: 'One more' }));
    expect(refused).toMatchObject({ status: 429, json: { error: { code: -32005, data: { code: 'OVERLOADED' } } } });
    expect(refused.headers.get('retry-after')).toBe('60');
    await alice.send({ to: 'bob.eth', text: 'Mailboxes need no queue' });

    await gateway.db.query('DELETE FROM outbox_item WHERE seq > (SELECT min(seq) FROM outbox_item)');
    await pressure.measure();
    expect(await client.deliver(mail, to)).toMatch(/^250 /);
    client.close();
    expect((await admin('queue/resume', 'POST', { network: 'email' })).status).toBe(204);
    await state(hash, 'delivered');
  });
});
