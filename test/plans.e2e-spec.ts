import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { Hash, NetworkId, RemoteId } from '../src/common/ids.js';
import { DeviceStore } from '../src/delivery/access/device.store.js';
import { MailboxStore } from '../src/delivery/mailbox/mailbox.store.js';
import { SentStore } from '../src/delivery/sent/sent.store.js';
import { GhostStore } from '../src/gateway/ghosts/ghost.store.js';
import { LinkStore } from '../src/gateway/links/link.store.js';
import { Maintenance } from '../src/gateway/maintenance.js';
import { MessageMapStore } from '../src/gateway/messages/message-map.store.js';
import { MessageStore } from '../src/gateway/messages/message.store.js';
import { Outbox } from '../src/outbox/outbox.js';
import { Sealer } from '../src/storage/sealer.js';
import { MailServer } from './support/mail-server.js';
import { fillWithMany } from './support/many-rows.js';
import { MixedTraffic } from './support/mixed-traffic.js';
import { droppingOf, plansOf, troublesIn, type Plan } from './support/plans.js';
import { recordStatements, type Statement } from './support/recorded-statements.js';
import { TestGateway } from './support/test-gateway.js';

const ROWS = 5_000;
/** What is planned for is a million rows a table. */
const TIMES = 200;

/** Tables that stay small, however much comes and goes: reading them whole is the best way. */
const SMALL = ['admin_token', 'ghost_key_rotation', 'migrations', 'outbox_pause'];
/** Statements that have to look at everything. */
const READ_ALL = [
  /FROM notification_channel AS channel\s+JOIN account/, // every account that wants to be told, every few seconds
  /DISTINCT holder AS id FROM outbox_lease/, // what is leased: few, but of made-up rows most
  /FROM outbox_lane l\s+ORDER BY/, // destinations in trouble: an operator's list
  /count\(\*\).* FROM outbox_(item|dead)/s, // how much waits: an operator's question, and these tests'
];
/** Indexes without which something that is asked all the time reads a whole table, or another index's larger part. */
const NEEDED = [
  'account_pkey',
  'conversation_latest',
  'conversation_pkey',
  'conversation_used',
  'ghost_name',
  'ghost_pkey',
  'ghost_unused',
  'mailbox_age',
  'mailbox_contact',
  'mailbox_encrypted',
  'mailbox_message',
  'mailbox_page',
  'mailbox_pkey',
  'message_content',
  'message_conversation',
  'message_map_age',
  'message_map_conversation',
  'message_map_encrypted',
  'message_map_message',
  'message_map_remote',
  'message_pkey',
  'message_settled',
  'outbox_dead_died',
  'outbox_dead_head',
  'outbox_dead_pkey',
  'outbox_head_due',
  'outbox_head_idle',
  'outbox_head_pair_key_key',
  'outbox_head_parked',
  'outbox_head_pkey',
  'outbox_item_notice',
  'outbox_item_pkey',
  'outbox_item_ref',
  'outbox_lane_changed',
  'outbox_lane_pkey',
  'outbox_lease_lane',
  'outbox_lease_pkey',
  'seen_expires',
  'seen_pkey',
];
/** Prepared statements on the ways that messages take, and what each goes by. */
const BY: Readonly<Record<string, readonly string[]>> = {
  'account-find': ['account_pkey'],
  'conversation-latest': ['conversation_latest'],
  'ghost-by-address': ['ghost_pkey'],
  'mailbox-add': ['seen_pkey'],
  'mailbox-hand-out': ['mailbox_pkey'],
  'mailbox-page': ['mailbox_page'],
  'mailbox-weigh': ['mailbox_page'],
  'map-by-hash': ['message_map_message', 'message_map_encrypted'],
  'map-by-remote': ['message_map_remote'],
};

let gateway: TestGateway;
let traffic: MixedTraffic;
let client: Client;
let statements: Statement[];

beforeAll(async () => {
  const recording = recordStatements();
  const mailServer = await MailServer.reserve();
  gateway = await TestGateway.create({
    email: { outgoing: { smartHost: mailServer.address } },
    settings: { deliveryService: { name: 'ds.gateway.eth', signUp: { policy: 'open' }, messageTtlDays: 30 } },
  });
  traffic = await MixedTraffic.prepare(gateway, mailServer);
  await traffic.begin();
  await traffic.finish();
  await askForTheRest();
  await gateway.running.app.get(Maintenance).run();
  recording.stop();
  statements = recording.statements();
  await fillWithMany(gateway.db, gateway.db.schema, ROWS);
  await gateway.running.stop();
  client = await connect();
});
afterAll(async () => {
  await client.end();
  await gateway.stop();
  await traffic.stop();
});

/** What the mixed run has no occasion for. */
async function askForTheRest(): Promise<void> {
  const { db, running, alice, bob } = gateway;
  const sealer = running.app.get(Sealer);
  const [hash, network, remote] = [`0x${'1'.repeat(64)}` as Hash, 'email' as NetworkId, 'x' as RemoteId];
  const [map, messages] = [running.app.get(MessageMapStore), running.app.get(MessageStore)];
  await map.byRemote(db, bob.address, network, remote);
  await map.byOwnRemote(db, network, remote);
  await messages.find(db, randomUUID());
  await messages.hasWritten(db, bob.address, alice.address);
  await running.app.get(GhostStore).byName(db, 'hash-only.email.gateway.eth');
  await new LinkStore(sealer).ofGhost(db, bob.address);
  const mailbox = new MailboxStore(sealer);
  await mailbox.page(db, bob.address, 10, { senders: ['carol.eth'] });
  await mailbox.page(db, bob.address, 10, { unreadBy: randomBytes(32) });
  await mailbox.acknowledge(db, bob.address, { hashes: [hash], arrivals: [] });
  await mailbox.acknowledge(db, bob.address, { hashes: [], arrivals: [{ senders: ['a.eth'], postmarkedAt: 1 }] });
  await db.transaction((tx) => new DeviceStore(sealer).acknowledge(tx, randomBytes(32), []));
  const sent = { sender: alice.address, receiver: bob.address };
  await new SentStore(sealer).states(db, sent, [hash]);
  await new SentStore(sealer).recall(db, sent, hash);
  const outbox = running.app.get(Outbox);
  await outbox.statusOf(db, randomUUID());
  await outbox.deadLetters(db, 10);
  await db.transaction((tx) => outbox.retry(tx, randomUUID()));
  await db.transaction((tx) => outbox.discard(tx, randomUUID()));
}

async function connect(): Promise<Client> {
  const { host, port, user, password, database, schema } = gateway.db.options;
  const connected = new Client({ host, port, user, password, database, options: `-c search_path=${schema}` });
  await connected.connect();
  return connected;
}

/** Columns that refer to another table and lead no index: to remove a row there reads all of these. */
async function referencesWithoutIndex(): Promise<string[]> {
  const sql = `SELECT conrelid::regclass::text || ' ' || pg_get_constraintdef(f.oid) AS name FROM pg_constraint f
    WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND NOT EXISTS (
      SELECT FROM pg_index i WHERE i.indrelid = f.conrelid AND i.indpred IS NULL
        AND (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey)`;
  return (await client.query<{ name: string }>(sql)).rows.map(({ name }) => name);
}

const plans = (change?: string) => plansOf(client, statements, { times: TIMES, ...(change ? { change } : {}) });

const troubles = (all: readonly Plan[]) => troublesIn(all, { needed: NEEDED, small: SMALL, readAll: READ_ALL, by: BY });

describe('Over a million rows a table, what the service asks', () => {
  it('goes by the indexes that are there for it, and reads no table from end to end', async () => {
    expect(statements.length).toBeGreaterThan(70);
    expect(troubles(await plans())).toEqual([]);
  });

  it('finds whatever refers to a row that it removes', async () => {
    expect(await referencesWithoutIndex()).toEqual([]);
  });

  it.each(NEEDED)('would be told if %s were lost', async (index) => {
    const change = await droppingOf(client, index);
    const lost = await plans(change).catch((error: Error) => error); // some statements cannot even be planned then
    if (lost instanceof Error)
      expect(lost.message).toMatch(/no unique or exclusion constraint matching the ON CONFLICT/);
    else expect(troubles(lost)).toContain(`nothing uses ${index}`);
  });

  it.each([
    ['ghost_name', 'ghost'],
    ['message_settled', 'message'],
    ['outbox_dead_died', 'outbox_dead'],
    ['outbox_item_ref', 'outbox_item'],
    ['seen_expires', 'seen'],
  ])('without %s would read all of %s', async (index, table) => {
    expect(troubles(await plans(`DROP INDEX ${index}`))).toContainEqual(
      expect.stringMatching(`^all of ${table} is read by`),
    );
  });
});
