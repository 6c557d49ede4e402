import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { retryEvents, troubledEvents } from '../src/adapters/matrix/inbox-care.js';
import { MatrixHousekeeping } from '../src/adapters/matrix/housekeeping.js';
import { EventStore } from '../src/adapters/matrix/event.store.js';
import { InboxStore } from '../src/adapters/matrix/inbox.store.js';
import { RoomStore } from '../src/adapters/matrix/room.store.js';
import { partId } from '../src/adapters/matrix/part-id.js';
import { silentLog } from '../src/ops/event-log.js';
import { becomes, BOT, FakeMatrix, ghostOf, says, SERVER } from './support/fake-matrix.js';
import { fillWithMany } from './support/many-rows.js';
import { droppingOf, plansOf, troublesIn, type Plan } from './support/plans.js';
import { recordStatements, type Statement } from './support/recorded-statements.js';
import type { TestStorage } from './support/storage.js';

const ROWS = 5_000;
/** What is planned for is a million rows a table. */
const TIMES = 200;
const ALICE = `@alice:${SERVER}`;
const CHAT = `!chat:${SERVER}`;
const ROOM = `!room:${SERVER}`;

const NEEDED = [
  'matrix_event_created',
  'matrix_event_pkey',
  'matrix_event_message_key_part_key',
  'matrix_ghost_pkey',
  'matrix_inbox_event_key_key',
  'matrix_inbox_new',
  'matrix_inbox_repeated',
  'matrix_inbox_settled',
  'matrix_inbox_waiting',
  'matrix_inbox_pkey',
  'matrix_room_making',
  'matrix_room_pair',
  'matrix_room_room_key_key',
];
const READ_ALL = [
  /FROM matrix_inbox WHERE state = \$1 AND code IS NOT NULL/, // an operator's list of what failed
  /\(id = \$1 OR \$1::uuid IS NULL\)/, // an operator has everything tried again
];

let storage: TestStorage;
let client: Client;
let statements: Statement[];

beforeAll(async () => {
  const recording = recordStatements();
  storage = await FakeMatrix.storage('plans_matrix');
  const world = await FakeMatrix.create(storage);
  await write(world);
  await careFor(storage);
  recording.stop();
  statements = recording.statements().filter(({ sql }) => sql.includes('matrix_'));
  await world.stop();
  await fillWithMany(storage.db, storage.db.schema, ROWS);
  const { host, port, user, password, database, schema } = storage.db.options;
  client = new Client({ host, port, user, password, database, options: `-c search_path=${schema}` });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await storage?.close();
});

/** A chat and a bridged room, with all that is said in them, both ways. */
async function write(world: FakeMatrix): Promise<void> {
  const adapter = await world.start();
  world.homeserver.members = () => [ALICE];
  await world.bring(adapter, becomes('invite', ghostOf('bob.eth'), CHAT, ALICE));
  await world.settled();
  const said = { ...says(ALICE, CHAT, 'hello'), event_id: `$${randomUUID()}` };
  await world.bring(adapter, said);
  const portal = await world.portal(ROOM, ['bob.eth', 'dave.eth']);
  world.homeserver.members = () => [ALICE, BOT, ghostOf('bob.eth'), ghostOf('dave.eth')];
  await world.bring(adapter, says(ALICE, ROOM, 'hello all'), says(ALICE, ROOM, '!dm3 members'));
  await world.settled();
  await world.write(adapter, { to: ALICE, target: said.event_id, message: { type: 'reply' } });
  await world.write(adapter, { to: portal.address, text: 'from dm3' });
  const ours = partId({ message: '0'.repeat(40), index: 0 });
  await world.write(adapter, { to: ALICE, target: ours, message: { type: 'reaction', text: '👍' } });
  await world.settled();
}

async function careFor({ db, sealer }: TestStorage): Promise<void> {
  const [inbox, events, rooms] = [new InboxStore(sealer), new EventStore(sealer), new RoomStore(sealer)];
  await new MatrixHousekeeping({ db, inbox, events, rooms, log: silentLog, deadLetterDays: 30 }).run();
  await inbox.postpone(db, randomUUID(), 'LATER', 1);
  await inbox.renew(db, [randomUUID()], 1);
  await troubledEvents(db);
  await retryEvents(db, null);
}

const plans = (change?: string) => plansOf(client, statements, { times: TIMES, ...(change ? { change } : {}) });
const troubles = (all: readonly Plan[]) => troublesIn(all, { needed: NEEDED, small: [], readAll: READ_ALL, by: {} });

describe('Over a million rows a table, what Matrix asks', () => {
  it('goes by the indexes that are there for it, and reads no table from end to end', async () => {
    expect(statements.length).toBeGreaterThan(25);
    expect(troubles(await plans())).toEqual([]);
  });

  it.each(NEEDED)('would be told if %s were lost', async (index) => {
    const change = await droppingOf(client, index);
    const lost = await plans(change).catch((error: Error) => error); // some statements cannot even be planned then
    if (lost instanceof Error)
      expect(lost.message).toMatch(/no unique or exclusion constraint matching the ON CONFLICT/);
    else expect(troubles(lost)).toContain(`nothing uses ${index}`);
  });
});
