import { randomBytes, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { adminTokenStore, type AdminScope } from '../src/gateway/admin/admin-token.store.js';
import { SubmissionService } from '../src/delivery/submission/submission.service.js';
import { Correspondent } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { ask } from './support/http-answer.js';
import { MailServer } from './support/mail-server.js';
import { startSecondGateway } from './support/second-gateway.js';
import { TestGateway } from './support/test-gateway.js';

const CAROL = 'carol._at.example.com.email.gateway.eth';

let gateway: TestGateway;
let mailServer: MailServer;
let alice: Correspondent;
let reader: string;
let operator: string;

beforeAll(async () => {
  mailServer = await MailServer.reserve();
  await mailServer.start();
  gateway = await TestGateway.create({ email: { outgoing: { smartHost: mailServer.address } } });
  alice = new Correspondent(gateway, gateway.alice);
  reader = await newToken('read');
  operator = await newToken('read', 'act');
});
afterAll(async () => {
  await gateway.stop();
  await mailServer.stop();
});

async function newToken(...scopes: AdminScope[]): Promise<string> {
  const token = randomBytes(32).toString('hex');
  await adminTokenStore.add(gateway.db, token, scopes);
  return token;
}

const admin = (path: string, token?: string, method = 'GET') => ask(`${gateway.adminUrl}/${path}`, { token, method });

interface DeadLetter {
  readonly ref: string;
  readonly code: string;
}

async function deadLetters(): Promise<DeadLetter[]> {
  return (await admin('dead-letters', reader)).json as DeadLetter[];
}

describe('An operator’s programs', () => {
  it('see that the process lives and is ready', async () => {
    expect(await ask(`${gateway.url}/health/live`)).toMatchObject({ status: 200, json: { status: 'ok' } });
    expect(await ask(`${gateway.url}/health/ready`)).toMatchObject({
      status: 200,
      json: { status: 'ok', details: { database: { status: 'up' }, email: { status: 'up' } } },
    });
  });

  it('read metrics in the text format of Prometheus', async () => {
    await alice.send({ to: 'bob.eth', text: 'counted' });
    const { type, text } = await ask(`${gateway.url}/metrics`);
    expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text).toMatch(/^# TYPE dm3_gateway_events_total counter$/m);
    expect(text).toMatch(/^dm3_gateway_events_total\{event="envelope\.submitted",.*\} [1-9]\d*$/m);
    expect(text).toMatch(/^dm3_gateway_queue_waiting \d+$/m);
  });

  it('read what came in as CSV once its interval is over, from every machine', async () => {
    const metrics = () => ask(`${gateway.url}/ds/metrics`);
    const inMailboxes = 'SELECT count(*)::int AS messages, sum(size)::int AS bytes FROM mailbox';
    const counted = async () => {
      const [waiting] = await gateway.db.query<{ messages: number; bytes: number }>(inMailboxes);
      const rows = await gateway.db.query('SELECT messages::int, bytes::int FROM traffic');
      return isDeepStrictEqual(rows.at(0), waiting) && waiting;
    };
    await alice.send({ to: 'bob.eth', text: 'counted here' });
    await eventually('the sums', counted);
    expect(await metrics()).toMatchObject({ status: 204, text: '' });

    const second = await startSecondGateway(gateway);
    await second.app.get(SubmissionService).submit(await alice.envelope({ to: 'bob.eth', text: 'counted there' }));
    await second.stop();
    const all = await counted();
    await gateway.db.query("UPDATE traffic SET interval_start = date_trunc('hour', now()) - interval '2 days'");
    const { status, type, text } = await metrics();
    expect([status, type]).toEqual([200, expect.stringMatching(/^text\/csv/)]);
    const [header, row] = text.split('\n');
    expect(header).toBe('timestampStart,durationSeconds,messageCount,messageSizeBytes,notificationCount');
    expect(row).toMatch(/^\d{10},/);
    expect(row!.split(',').slice(1)).toEqual(['86400', `${all && all.messages}`, `${all && all.bytes}`, '0']);
  });

  it('see that a dm3 delivery service is there', async () => {
    expect(await ask(`${gateway.url}/ds/hello`)).toMatchObject({ status: 200, text: 'Hello DM3' });
  });

  it('find the API described', async () => {
    const page = await ask(`${gateway.url}/docs`);
    expect(page).toMatchObject({ status: 200, type: expect.stringContaining('text/html') });
    const { json } = await ask(`${gateway.url}/docs-json`);
    expect(Object.keys((json as { paths: object }).paths)).toEqual(
      expect.arrayContaining(['/ds/rpc', '/ds/auth/{name}', '/health/ready']),
    );
  });
});

describe('The admin API', () => {
  const CALLS = [
    ['GET', 'queue'],
    ['GET', 'dead-letters'],
    ['GET', `messages/${randomUUID()}`],
    ['POST', `dead-letters/${randomUUID()}/retry`],
    ['DELETE', `dead-letters/${randomUUID()}`],
    ['POST', 'queue/pause'],
    ['POST', 'queue/resume'],
  ] as const;

  it.each(CALLS)('answers nobody without a token: %s %s', async (method, path) => {
    expect(await admin(path, undefined, method)).toMatchObject({ status: 401 });
    expect(await admin(path, 'made-up', method)).toMatchObject({ status: 401 });
  });

  it('is not on the public port', async () => {
    for (const [method, path] of CALLS) {
      const url = `${gateway.url}/admin/v1/${path}`;
      expect((await ask(url, { method, token: operator })).status).toBe(404);
    }
  });

  it('lets a reader read and nothing else', async () => {
    expect(await admin('queue', reader)).toMatchObject({
      status: 200,
      json: { waiting: expect.any(Number), dead: 0, oldestSeconds: expect.any(Number) },
    });
    const refused = await admin(`dead-letters/${randomUUID()}/retry`, reader, 'POST');
    expect(refused).toMatchObject({ status: 403, json: { message: 'This token may not act.' } });
  });

  it('says what does not exist, and what is no id', async () => {
    expect((await admin(`messages/${randomUUID()}`, reader)).status).toBe(404);
    expect((await admin(`dead-letters/${randomUUID()}/retry`, operator, 'POST')).status).toBe(404);
    expect((await admin(`messages/1'%20OR%20'1`, reader)).status).toBe(404);
    expect((await admin(`messages/${'x'.repeat(999)}`, reader)).status).toBe(404);
    expect((await admin(`dead-letters/1/retry`, operator, 'POST')).status).toBe(400);
    expect((await admin(`dead-letters/${randomUUID()}`, operator, 'DELETE')).status).toBe(404);
  });
});

describe('A message that failed for good', () => {
  it('is shown, and delivered once when it is retried after the far side was mended', async () => {
    mailServer.knows = () => false;
    await alice.send({ to: CAROL, text: 'Second chance' });
    const [letter] = await eventually('the dead letter', async () => {
      const letters = await deadLetters();
      return letters.length > 0 && letters;
    });
    expect(letter).toMatchObject({ code: 'MAIL_REFUSED' });
    const { ref } = letter!;
    expect(await admin(`messages/${ref}`, reader)).toMatchObject({
      status: 200,
      json: { id: ref, direction: 'from-dm3', network: 'email', state: 'failed', code: 'MAIL_REFUSED' },
    });
    await eventually('the notice', async () => (await alice.inbox()).length === 1);

    mailServer.knows = () => true;
    const retries = await Promise.all([1, 2, 3].map(() => admin(`dead-letters/${ref}/retry`, operator, 'POST')));
    expect(retries.map(({ status }) => status).sort()).toEqual([204, 404, 404]);
    await eventually('delivery', async () => {
      const { json } = await admin(`messages/${ref}`, reader);
      return (json as { state: string }).state === 'delivered';
    });
    await alice.send({ to: CAROL, text: 'The one behind it' });
    await eventually('the next mail of the pair', async () => mailServer.mails.length >= 2);
    expect(mailServer.mails.map(({ raw }) => /^(Second chance|The one behind it)\r$/m.exec(raw)?.[1])).toEqual([
      'Second chance',
      'The one behind it',
    ]);
    expect(await deadLetters()).toEqual([]);
    expect(await alice.inbox()).toHaveLength(1);
  });

  it('never shows what was in it', async () => {
    mailServer.knows = () => false;
    await alice.send({ to: CAROL, text: 'Between us' });
    const text = await eventually('the dead letter', async () => {
      const answer = await admin('dead-letters', reader);
      return (answer.json as DeadLetter[]).length > 0 && answer.text;
    });
    expect(text).not.toMatch(/Between us|carol|alice|0x|sealed/);
  });
});

describe('Without its database', () => {
  it('is alive, but not ready', async () => {
    await gateway.db.close();
    expect((await ask(`${gateway.url}/health/live`)).status).toBe(200);
    expect(await ask(`${gateway.url}/health/ready`)).toMatchObject({
      status: 503,
      json: { status: 'error', details: { database: { status: 'down' }, email: { status: 'up' } } },
    });
    await gateway.db.open();
    expect((await ask(`${gateway.url}/health/ready`)).status).toBe(200);
  });
});
