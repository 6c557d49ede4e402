import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { decryptText } from '../src/protocol/crypto/payload.js';
import type { Envelope } from '../src/protocol/envelope/envelope.js';
import { parseMessage } from '../src/protocol/envelope/message.js';
import type { Person } from '../src/sandbox/people.js';
import { Database } from '../src/storage/database.js';
import { migrations } from '../src/storage/migrations/index.js';
import { BESIDE_POOL } from '../src/storage/storage-checks.js';
import { countSealed } from '../src/storage/reseal.js';
import { Correspondent, type Letter } from './support/correspondent.js';
import { createTestSchema } from './support/database.js';
import { startDebianPostgres, type DebianPostgres } from './support/debian-postgres.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import { fillTables, readTables } from './support/filled-tables.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { sendMail } from './support/mail.js';
import { MailServer } from './support/mail-server.js';
import { MixedTraffic } from './support/mixed-traffic.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const FAST = { firstSeconds: 0.2, factor: 1.5, maxSeconds: 2 };
/** What was under way while the backup was taken is claimed again when this is over. */
const LEASE_SECONDS = 5;
const CAROL = 'carol._at.example.org.email.gateway.eth';

async function queueIsEmpty(db: Database): Promise<boolean> {
  const [row] = await db.query<{ waiting: number }>('SELECT count(*)::int AS waiting FROM outbox_item');
  return row!.waiting === 0;
}

describeWithPeer('postgresql-15', 'On PostgreSQL 15', (postgres) => {
  let debian: DebianPostgres;
  beforeAll(async () => void (debian = await startDebianPostgres(postgres)));
  afterAll(() => debian.stop());

  it('the migrations run, are undone with rows in the tables, and run again', async () => {
    const schema = await createTestSchema('migrations', debian.connection);
    const db = new Database(schema.options);
    await db.open();
    const [server] = await db.query<{ version: string }>("SELECT current_setting('server_version') AS version");
    expect(server!.version).toMatch(/^15\./);
    await fillTables(db, db.schema);
    await db.undoMigrations(migrations.length);
    expect(await readTables(db, db.schema)).toEqual(new Map());
    await db.close();
    await new Database(schema.options).open().then(() => schema.drop());
  });

  it('messages go in all directions, with whatever can go wrong', async () => {
    const mailServer = await MailServer.reserve();
    const email = { outgoing: { smartHost: mailServer.address } };
    const gateway = await TestGateway.create({ postgres: await debian.createDatabase('mixed'), email });
    const traffic = await MixedTraffic.prepare(gateway, mailServer);
    await traffic.begin();
    await traffic.finish();
    const sql = 'SELECT state, count(*)::int AS count FROM message GROUP BY state ORDER BY state';
    expect(await gateway.db.query(sql)).toEqual([
      { state: 'delivered', count: expect.any(Number) },
      { state: 'failed', count: 2 },
    ]);
    await reckonConnections(gateway);
    await gateway.stop();
    await traffic.stop();
  });

  /** With all of the pool at work, a process holds what the doctor reckons with, but for the upkeep that rests. */
  async function reckonConnections({ db }: TestGateway): Promise<void> {
    const count = `SELECT count(*) FROM pg_stat_activity WHERE datname = 'mixed'`;
    const work = Array.from({ length: 20 }, () => db.query('SELECT pg_sleep(0.3)'));
    const expected = String(db.options.poolSize + BESIDE_POOL - 1);
    await eventually(`${expected} connections`, async () => {
      return (await debian.run('psql', '--no-align', '--tuples-only', '--command', count)).trim() === expected;
    });
    await Promise.all(work);
  }

  describe('a backup taken while messages come and go', () => {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-backup-')), 'dm3.dump');
    let gateway: TestGateway;
    let mailServer: MailServer;
    let elsewhere: ForeignService;
    let alice: Correspondent;
    let bob: Correspondent;
    let dave: Person;
    let restored: TestGateway | undefined;
    const texts = { before: [] as string[], during: [] as string[], after: [] as string[] };
    let repeated: Envelope;
    let lost: Envelope;

    beforeAll(async () => {
      mailServer = await MailServer.reserve();
      const postgresOfIts = await debian.createDatabase('dm3');
      gateway = await TestGateway.create({
        postgres: postgresOfIts,
        email: { outgoing: { smartHost: mailServer.address } },
        settings: { delivery: { retry: { email: FAST, dm3: FAST }, pollSeconds: 0.2, leaseSeconds: LEASE_SECONDS } },
      });
      elsewhere = await startForeignService(gateway, { name: 'elsewhere.eth' });
      elsewhere.mood = 'fails';
      dave = await gateway.addPerson('dave.eth', { deliveryService: elsewhere.name });
      meet(gateway);
      await messagesWait();
      await backUp();
      lost = await alice.envelope({ to: 'bob.eth', text: note('after') });
      await alice.submit(lost);
      await gateway.running.stop();
    });
    afterEach(async () => {
      await restored?.running.stop();
      restored = undefined;
    });
    afterAll(async () => {
      await gateway.stop();
      await Promise.all([elsewhere.stop(), mailServer.stop()]);
      fs.rmSync(path.dirname(file), { recursive: true });
    });

    function meet(at: TestGateway): void {
      alice = new Correspondent(at, at.alice);
      bob = new Correspondent(at, at.bob);
    }

    function note(when: keyof typeof texts): string {
      const text = `number ${Object.values(texts).flat().length}, sent ${when} the backup`;
      texts[when].push(text);
      return text;
    }

    /** In a mailbox, on the way to dm3, and on the way out. */
    async function messagesWait(): Promise<void> {
      await sendMail(gateway, { to: `bob.eth@${DOMAIN}`, text: 'kept for bob', messageId: '<kept@example.org>' });
      await sendMail(gateway, { to: `dave.eth@${DOMAIN}`, text: 'on its way to dave' });
      await bob.send({ to: CAROL, text: 'on its way to carol' });
      repeated = await alice.envelope({ to: 'bob.eth', text: note('before') });
      await alice.submit(repeated);
      const frozen = `SELECT 1 FROM message WHERE state = 'frozen'`;
      await eventually('a first attempt of both', async () => (await gateway.db.query(frozen)).length === 2);
      await eventually('the mail in the mailbox', () => letter(bob, 'kept for bob'));
    }

    async function backUp(): Promise<void> {
      const state = { isDone: false };
      const dumping = debian.run('pg_dump', '--format=custom', '--dbname=dm3', `--file=${file}`);
      void dumping.finally(() => (state.isDone = true)).catch(() => {});
      while (!state.isDone) await alice.send({ to: 'bob.eth', text: note('during') });
      await dumping;
    }

    async function letter(reader: Correspondent, text: string): Promise<Letter | undefined> {
      return (await reader.inbox()).find(({ message }) => message.message?.includes(text));
    }

    /** On another machine: nothing but the backup, the secrets and the configuration. */
    async function restore(database: string): Promise<TestGateway> {
      await debian.createDatabase(database);
      await debian.run('pg_restore', '--exit-on-error', `--dbname=${database}`, file);
      restored = await gateway.movedTo({ ...gateway.running.runtime.settings.database, database });
      meet(restored);
      return restored;
    }

    const carols = () => Promise.all(mailServer.mails.map(({ raw }) => simpleParser(raw)));
    const daves = () =>
      elsewhere.envelopes.map(({ message }) => {
        const keys = dave.keys.encryption;
        return parseMessage(decryptText(gateway.crypto, keys, message)).message;
      });

    it('has everything that was accepted before it, once and readable, and delivers what waited once', async () => {
      elsewhere.mood = 'takes';
      await mailServer.start();
      const { db } = await restore('restored');
      await eventually('an empty queue', () => queueIsEmpty(db));
      expect((await carols()).map(({ text }) => text?.trim())).toEqual([
        expect.stringContaining('on its way to carol'),
      ]);
      expect(daves()).toEqual([expect.stringContaining('on its way to dave')]);

      const inbox = (await bob.inbox()).map(({ message, genuine }) => genuine && message.message!);
      expect(inbox.filter((text) => text && text.includes('kept for bob'))).toHaveLength(1);
      const kept = inbox.filter((text) => text && text.includes('the backup'));
      const sent = [...texts.before, ...texts.during];
      expect(kept.length).toBeGreaterThanOrEqual(texts.before.length);
      expect(kept).toEqual(sent.slice(0, kept.length)); // all up to one moment, nothing of what came later
      expect([...(await countSealed(db)).keys()]).toEqual([1]);
    });

    it('sends the same bytes again where they had left after it, so that receivers know them', async () => {
      const [first] = await carols();
      const { db } = await restore('restored_later');
      await eventually('an empty queue', () => queueIsEmpty(db));
      const again = await carols();
      expect(again.map(({ messageId }) => messageId)).toEqual([first!.messageId, first!.messageId]);
      expect(new Set(mailServer.mails.map(({ raw }) => withoutTrace(raw))).size).toBe(1);
      expect(daves()).toHaveLength(2);
      expect(new Set(elsewhere.envelopes.map(({ message }) => message)).size).toBe(1);

      expect(await alice.submit(repeated)).toMatchObject({ status: 200 });
      expect(await alice.submit(lost)).toMatchObject({ status: 200 });
      const inbox = (await bob.inbox()).map(({ message }) => message.message);
      for (const text of [texts.before[0], texts.after[0]])
        expect(inbox.filter((each) => each === text)).toEqual([text]);

      const kept = await letter(bob, 'kept for bob');
      await bob.send({ to: kept!.message.metadata.from, text: 'an answer after the restore', answers: kept!.hash });
      const answer = await eventually('the answer', async () =>
        (await carols()).find(({ text }) => text?.includes('an answer after the restore')),
      );
      expect(answer.inReplyTo).toBe('<kept@example.org>');
    });
  });
});

/** A mail server's own line differs from time to time. */
const withoutTrace = (raw: string) => raw.replace(/^Received:.*\r\n([ \t].*\r\n)*/gm, '');
