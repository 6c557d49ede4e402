import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '../../test/support/eventually.js';
import { openTestStorage, type TestStorage } from '../../test/support/storage.js';
import { ChallengeStore } from '../delivery/access/challenge.store.js';
import { DeviceStore } from '../delivery/access/device.store.js';
import { MailboxStore } from '../delivery/mailbox/mailbox.store.js';
import { SentStore } from '../delivery/sent/sent.store.js';
import { DeliveryRetention } from '../delivery/retention/delivery-retention.js';
import { silentLog, type EventLog } from '../ops/event-log.js';
import { Outbox } from '../outbox/outbox.js';
import { StorageUnavailableError } from '../storage/errors.js';
import { AttachmentStore } from './attachments/attachment.store.js';
import { ConversationStore } from './conversations/conversation.store.js';
import { GhostStore } from './ghosts/ghost.store.js';
import { LinkStore } from './links/link.store.js';
import { Maintenance } from './maintenance.js';
import { MessageMapStore } from './messages/message-map.store.js';
import { MessageStore } from './messages/message.store.js';

/** More than two steps' worth of everything that grows: for what is done between steps. */
const MANY = 2_500;
/** Where the number does not matter. */
const FEW = 5;
const TABLES = [
  'seen',
  'message_map',
  'message',
  'conversation',
  'mailbox',
  'ghost',
  'login_challenge',
  'outbox_dead',
  'outbox_head',
  'outbox_lane',
  'profile_link',
  'attachment',
];
const address = `decode(lpad(to_hex(n), 40, '0'), 'hex')`;
const key = `decode(lpad(to_hex(n), 8, '0'), 'hex')`;

let storage: TestStorage;
beforeAll(async () => void (storage = await openTestStorage('maintenance')));
beforeEach(async () => void (await storage.db.query(`TRUNCATE ${TABLES.join(', ')}, outbox_item CASCADE`)));
afterAll(() => storage.close());

/** So many old rows of everything, and three young ones. */
async function fillWith(old: number): Promise<void> {
  await fill(`generate_series(1, ${old}) n`, `now() - interval '500 days'`);
  await fill(`generate_series(${old + 1}, ${old + 3}) n`, 'now()');
}

/** What the rows hold is of no interest. */
async function fill(rows: string, at: string): Promise<void> {
  const uuid = 'gen_random_uuid()';
  const statements = [
    `INSERT INTO seen SELECT ${key}, ${uuid}, ${at} + interval '1 hour' FROM ${rows}`,
    `INSERT INTO login_challenge (challenge_key, name_key, sealed_challenge, expires_at)
       SELECT ${key}, '', '', ${at} + interval '1 hour' FROM ${rows}`,
    `INSERT INTO conversation (id, identity, ghost, used_at)
       SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, ${address}, ${address}, ${at} FROM ${rows}`,
    `INSERT INTO message_map (id, owner, encrypted_key, remote_key, sealed_ids, conversation_id, created_at)
       SELECT ${uuid}, ${address}, '', ${key}, '', ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, ${at}
       FROM ${rows}`,
    `INSERT INTO message (id, direction, network, state, identity, ghost, settled_at)
       SELECT ${uuid}, 'to-dm3', 'email', 'delivered', ${address}, ${address}, ${at} FROM ${rows}`,
    `INSERT INTO mailbox (id, receiver, sender_key, encrypted_key, sealed_envelope, size, verdict, received_at)
       SELECT ${uuid}, ${address}, '', '', '', 1, 'verified', ${at} FROM ${rows}`,
    `INSERT INTO ghost (address, network, name_key, sealed_foreign_address, created_at)
       SELECT ${address}, 'email', ${key}, '', ${at} FROM ${rows}`,
    `INSERT INTO profile_link (id, ghost_key, owner_key, sealed_link, expires_at)
       SELECT ${uuid}, ${key}, '', '', ${at} + interval '1 hour' FROM ${rows}`,
    `INSERT INTO attachment (id_key, receiver_key, size, expires_at)
       SELECT ${key}, '', 1, ${at} + interval '1 hour' FROM ${rows}`,
    `INSERT INTO attachment_chunk SELECT ${key}, 0, '' FROM ${rows}`,
    `INSERT INTO outbox_head (pair_key, network, destination_key, idle_at) SELECT ${key}, 'email', '', ${at} FROM ${rows}`,
    `INSERT INTO outbox_lane (destination_key, network, sealed_destination, failures, changed_at)
       SELECT ${key}, 'email', '', 3, ${at} FROM ${rows}`,
    `INSERT INTO outbox_dead (ref, head_id, seq, kind, code, attempts, created_at, expires_at, died_at)
       SELECT ${uuid}, (SELECT max(id) FROM outbox_head), n, 'notice', 'X', 1, ${at}, ${at}, ${at} FROM ${rows}`,
  ];
  for (const statement of statements) await storage.db.query(statement);
}

function maintenance(mailboxDays: number, log: EventLog = silentLog): Maintenance {
  const { db, sealer } = storage;
  return new Maintenance({
    db,
    outbox: new Outbox(db.schema),
    delivery: new DeliveryRetention({
      db,
      mailbox: new MailboxStore(sealer),
      challenges: new ChallengeStore(sealer),
      devices: new DeviceStore(sealer),
      sent: new SentStore(sealer),
      stateDays: 30,
      messageTtlDays: mailboxDays,
      trafficSeconds: 864_000,
    }),
    ghosts: new GhostStore(sealer),
    links: new LinkStore(sealer),
    conversations: new ConversationStore(sealer),
    map: new MessageMapStore(sealer),
    messages: new MessageStore(sealer),
    attachments: new AttachmentStore(sealer),
    retention: { mapDays: 400, deadLetterDays: 30 },
    log,
  });
}

/** How many rows each statement touched, by table, from now on. */
function watchSteps(): Map<string, number[]> {
  const { db } = storage;
  const steps = new Map(TABLES.map((table) => [table, [] as number[]]));
  const query = db.query.bind(db);
  jest.spyOn(db, 'query').mockImplementation((async (sql: string, params: readonly unknown[]) => {
    const rows = await query(sql, params);
    steps.get(/(?:FROM|UPDATE) (\w+)/.exec(sql)![1]!)?.push(rows.length);
    return rows;
  }) as typeof db.query);
  return steps;
}

async function counts(): Promise<Record<string, number>> {
  const entries = TABLES.map(async (table) => {
    const [row] = await storage.db.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
    return [table, row!.count] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

describe('Maintenance', () => {
  afterEach(() => void jest.restoreAllMocks());

  it('removes what is old and leaves what is young, in steps of a thousand', async () => {
    await fillWith(MANY);
    const steps = watchSteps();
    await maintenance(30).run();
    jest.restoreAllMocks();
    for (const table of TABLES) {
      expect([table, steps.get(table)!.slice(0, 3)]).toEqual([table, [1_000, 1_000, 500]]);
    }
    expect(await counts()).toEqual(Object.fromEntries(TABLES.map((table) => [table, 3])));
  });

  it('keeps mailboxes for ever where it is told so', async () => {
    await fillWith(FEW);
    await maintenance(0).run();
    expect(await counts()).toMatchObject({ mailbox: FEW + 3, seen: 3 });
  });

  it('says what failed and goes on with the rest; the next run makes up for it', async () => {
    await fillWith(FEW);
    const warn = jest.fn();
    const failing = maintenance(30, { ...silentLog, warn });
    jest.spyOn(storage.db, 'query').mockRejectedValueOnce(new StorageUnavailableError({ cause: null }));
    await failing.run();
    expect(warn.mock.calls).toEqual([['maintenance.failed', { component: 'seen', code: 'STORAGE_UNAVAILABLE' }]]);
    const others = TABLES.filter((table) => table !== 'seen').map((table) => [table, 3]);
    expect(await counts()).toEqual(Object.fromEntries([...others, ['seen', FEW + 3]]));
    await failing.run();
    expect(await counts()).toMatchObject({ seen: 3 });
  });

  it('says so if there is no database at all, and can run again', async () => {
    await fillWith(FEW);
    const warn = jest.fn();
    const failing = maintenance(30, { ...silentLog, warn });
    jest.spyOn(storage.db, 'dedicatedClient').mockRejectedValueOnce(new StorageUnavailableError({ cause: null }));
    await failing.run();
    expect(warn.mock.calls).toEqual([['maintenance.failed', { code: 'STORAGE_UNAVAILABLE' }]]);
    await failing.run();
    expect(await counts()).toMatchObject({ seen: 3 });
  });

  it('is done by one process at a time', async () => {
    await fillWith(FEW);
    const twins = [maintenance(30), maintenance(30)];
    const steps = watchSteps();
    const ran = await storage.db.withLock('maintenance', () => Promise.all(twins.map((twin) => twin.run())));
    expect(ran).toEqual([false, false]);
    expect([...steps.values()].flat()).toEqual([]);
    jest.restoreAllMocks();
    expect(await twins[1]!.run()).toBe(true);
    expect(await counts()).toEqual(Object.fromEntries(TABLES.map((table) => [table, 3])));
  });

  it('ends after the step under way when it is stopped, and leaves the rest to the next process', async () => {
    await fillWith(MANY);
    const steps = watchSteps();
    const stopped = maintenance(30);
    const running = stopped.run();
    await eventually('the first step', async () => steps.get('seen')!.length > 0);
    stopped.stop();
    await running;
    jest.restoreAllMocks();
    const removed = [...steps.values()].flat().length;
    expect(removed).toBeLessThan(10);
    await maintenance(30).run();
    expect(await counts()).toEqual(Object.fromEntries(TABLES.map((table) => [table, 3])));
  });

  it('lets others write between its steps', async () => {
    await fillWith(MANY);
    const state = { isRunning: true };
    void maintenance(30)
      .run()
      .then(() => (state.isRunning = false));
    let written = 0;
    const add = "INSERT INTO seen SELECT sha256(int8send($1)), gen_random_uuid(), now() + interval '1 hour'";
    while (state.isRunning) await storage.db.query(add, [(written += 1)]);
    expect(written).toBeGreaterThan(20);
    expect(await counts()).toMatchObject({ seen: written + 3 });
  });

  it('can be stopped before it has started, and after', async () => {
    await fillWith(FEW);
    const stopped = maintenance(30);
    stopped.stop();
    stopped.start();
    stopped.stop();
    expect(await counts()).toMatchObject({ seen: FEW + 3 });
  });
});
