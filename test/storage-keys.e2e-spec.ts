import fs from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { escapeIdentifier, type Client } from 'pg';
import { AdminService } from '../src/gateway/admin/admin.service.js';
import type { Person } from '../src/sandbox/people.js';
import { countSealed } from '../src/storage/reseal.js';
import { RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { exampleDns, sendMail } from './support/mail.js';
import { OperatedGateway } from './support/operated-gateway.js';
import { DOMAIN, type TestGateway } from './support/test-gateway.js';

const DORA = 'dora._at.example.org.email.gateway.eth';

let operated: OperatedGateway;
let gateway: TestGateway;
let elsewhere: ForeignService;
let dave: Person;
let bob: RealClient;
beforeAll(async () => {
  operated = await OperatedGateway.create({ dns: exampleDns });
  ({ gateway } = operated);
  elsewhere = await startForeignService(gateway, { name: 'ds.foreign.eth' });
  dave = await gateway.addPerson('dave.eth', { deliveryService: elsewhere.name });
  bob = await RealClient.create(gateway, gateway.bob);
});
afterAll(async () => {
  await operated.stop();
  await elsewhere.stop();
});

const counts = async () => Object.fromEntries(await countSealed(gateway.db));
const keyIds = () => fs.readFileSync(operated.storageKeysFile, 'utf8').match(/^\d+(?=:)/gm);
const frozen = async () => (await gateway.db.query("SELECT 1 FROM message WHERE state = 'frozen'")).length;

/** One message that is read by nobody yet, and one on its way in each direction. */
async function messagesUnderWay(): Promise<void> {
  elsewhere.mood = 'fails';
  await sendMail(gateway, { to: `bob.eth@${DOMAIN}`, text: 'waits in the mailbox' });
  await sendMail(gateway, { to: `${dave.name}@${DOMAIN}`, text: 'waits for a delivery service' });
  await bob.send({ to: DORA, text: 'waits for a mail server' });
  await bob.receive('waits in the mailbox');
  await eventually('both on their way', async () => (await frozen()) === 2);
}

it('is only spoken about on a dry run', async () => {
  await messagesUnderWay();
  const goOn = await holdStill();
  const { '1': values } = await counts();
  const { code, stdout } = await operated.keys('rotate', '--storage', '--dry-run');
  expect(code).toBe(0);
  expect(stdout).toContain(`sealed values by storage key: 1: ${values} (seals)\n`);
  expect(stdout).toContain(`Put a new key into ${operated.storageKeysFile} and seal everything anew with it.`);
  expect([keyIds(), await counts()]).toEqual([['1'], { 1: values }]);
  await goOn();
});

it('may be killed in the middle: the running gateway reads what is under either key', async () => {
  const ofMessages = await lockMessages();
  const operator = operated.startKeys('rotate', '--storage', '--yes');
  await eventually('a sealed mailbox', async () => {
    const sql = 'SELECT 1 FROM mailbox WHERE get_byte(sealed_envelope, 1) = 2';
    return (await gateway.db.query(sql)).length > 0;
  });
  await operator.kill('SIGKILL');
  expect(Object.keys(await counts())).toEqual(['1', '2']);
  await ofMessages.end();
  expect(keyIds()).toEqual(['2', '1']);
  await bob.receive('waits in the mailbox');
});

it('is finished by the next call, which adds no further key', async () => {
  await sendMail(gateway, { to: `bob.eth@${DOMAIN}`, text: 'came in between' });
  await bob.receive('came in between');
  const { code, stdout } = await operated.keys('rotate', '--storage', '--yes');
  expect(code).toBe(0);
  expect(stdout).toContain('Seal what is under older keys anew with key 2, which is there already.');
  expect(stdout).toMatch(/^Sealed \d+ values anew, 100 %$/m);
  expect(stdout).toContain('Everything is sealed with key 2.');
  expect(keyIds()).toEqual(['2', '1']);
  expect(Object.keys(await counts())).toEqual(['2']);
});

it('leaves everything where it was: messages arrive once, and rows are found by the same hashes', async () => {
  await operated.mailServer.start();
  elsewhere.mood = 'takes';
  await eventually('the mail', async () => operated.mailServer.mails.length > 0);
  await eventually('the envelope', async () => elsewhere.envelopes.length > 0);
  expect(operated.mailServer.mails[0]!.raw).toContain('waits for a mail server');
  expect([operated.mailServer.mails.length, elsewhere.envelopes.length]).toEqual([1, 1]);
  expect(new Set(elsewhere.attempts.map(({ message }) => message)).size).toBe(1);
  const { hash } = await bob.receive('waits in the mailbox');
  await bob.acknowledge([hash]);
  expect((await bob.incoming()).map((received) => received.hash)).not.toContain(hash);
});

it('is told by the command that shows keys', async () => {
  const { stdout } = await operated.keys();
  expect(stdout).toContain(`\nsealed values by storage key: 1: 0, 2: ${(await counts())['2']} (seals)\n`);
  for (const line of fs.readFileSync(operated.storageKeysFile, 'utf8').trim().split('\n')) {
    expect(stdout).not.toContain(line.split(':')[1]);
  }
});

/** Every attempt leaves its answer, sealed: none is made until what comes back is called. */
async function holdStill(): Promise<() => Promise<void>> {
  const admin = gateway.running.app.get(AdminService);
  const networks = ['email', 'dm3'];
  for (const network of networks) await admin.pause(network);
  const held = 'SELECT 1 FROM outbox_lease';
  await eventually('the end of what is under way', async () => (await gateway.db.query(held)).length === 0);
  return async () => {
    for (const network of networks) await admin.resume(network);
  };
}

/** Nobody writes to the table until the client lets go. */
async function lockMessages(): Promise<Client> {
  const client = await gateway.db.dedicatedClient();
  await client.query(`BEGIN; LOCK TABLE ${escapeIdentifier(gateway.db.schema)}.message IN SHARE MODE`);
  return client;
}
