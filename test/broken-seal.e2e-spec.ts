import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { AdminService } from '../src/gateway/admin/admin.service.js';
import { Correspondent } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { exampleDns, sendMail } from './support/mail.js';
import { MailServer } from './support/mail-server.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const CAROL = 'carol._at.example.com.email.gateway.eth';
const NETWORKS = ['dm3', 'email'];

let gateway: TestGateway;
let mailServer: MailServer;
let alice: Correspondent;
beforeAll(async () => {
  mailServer = await MailServer.reserve();
  await mailServer.start();
  gateway = await TestGateway.create({ dns: exampleDns, email: { outgoing: { smartHost: mailServer.address } } });
  alice = new Correspondent(gateway, gateway.alice);
});
afterAll(async () => {
  await gateway.stop();
  await mailServer.stop();
});

/** What is accepted meanwhile cannot be opened any more afterwards: as on a disk that has lost something. */
async function damaging(work: () => Promise<unknown>): Promise<void> {
  const admin = gateway.running.app.get(AdminService);
  for (const network of NETWORKS) await admin.pause(network);
  await work();
  const damaged = await gateway.db.query(
    `UPDATE message SET sealed_payload = '\\x0101' WHERE state = 'accepted' RETURNING id`,
  );
  expect(damaged).toHaveLength(1);
}

async function goOn(): Promise<void> {
  const admin = gateway.running.app.get(AdminService);
  for (const network of NETWORKS) await admin.resume(network);
}

const failed = () =>
  gateway.db.query(`SELECT direction, state, m.code, d.code AS letter FROM message m JOIN outbox_dead d ON d.ref = m.id
    ORDER BY settled_at`);

it('A message to dm3 that cannot be opened any more is a dead letter, and those behind it go on', async () => {
  await damaging(() => sendMail(gateway, { to: `alice.eth@${DOMAIN}`, text: 'Lost' }));
  await sendMail(gateway, { to: `alice.eth@${DOMAIN}`, text: 'Behind it' });
  await goOn();
  await eventually('the next mail', async () =>
    (await alice.inbox()).some(({ message }) => message.message?.includes('Behind it')),
  );
  expect(await failed()).toEqual([
    { direction: 'to-dm3', state: 'failed', code: 'SEAL_BROKEN', letter: 'SEAL_BROKEN' },
  ]);
});

it('So is one from dm3', async () => {
  await damaging(() => alice.send({ to: CAROL, text: 'Lost' }));
  await alice.send({ to: CAROL, text: 'Behind it' });
  await goOn();
  await eventually('the next message', async () => mailServer.mails.some(({ raw }) => raw.includes('Behind it')));
  expect((await failed()).at(-1)).toEqual({
    direction: 'from-dm3',
    state: 'failed',
    code: 'SEAL_BROKEN',
    letter: 'SEAL_BROKEN',
  });
});

it('An operator who tries it again is told the same, and nobody waits for it', async () => {
  const admin = gateway.running.app.get(AdminService);
  const [{ ref } = { ref: '' as never }] = await admin.deadLetters();
  expect(await admin.retry(ref as never)).toBe(true);
  const trace = await eventually('its second failure', async () => {
    const found = await admin.message(ref);
    return found?.state === 'failed' && found;
  });
  expect(trace.history.map(({ event }) => event)).toEqual(['failed', 'retried', 'failed']);
});
