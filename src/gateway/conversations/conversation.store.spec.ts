import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { ConversationId, EnsName } from '../../common/ids.js';
import { ConversationStore } from './conversation.store.js';

const BOB_AND_CAROL = { identity: addressOf('b'), ghost: addressOf('c') };
const BOB_AND_DAVE = { identity: addressOf('b'), ghost: addressOf('d') };
const NAME = 'bob.eth' as EnsName;

let storage: TestStorage;
let store: ConversationStore;
beforeAll(async () => {
  storage = await openTestStorage('conversations');
  store = new ConversationStore(storage.sealer);
});
beforeEach(async () => void (await storage.db.query('TRUNCATE conversation CASCADE')));
afterAll(() => storage.close());

const open = () => store.open(storage.db, BOB_AND_CAROL);
const touch = (id: ConversationId, subject: string, shownName: EnsName | null = null) =>
  store.touch(storage.db, id, { context: { subject }, shownName });
const latest = (parties = BOB_AND_CAROL) => store.latest(storage.db, parties, 7);
const age = (id: ConversationId, days: number) =>
  storage.db.query('UPDATE conversation SET used_at = now() - make_interval(days => $2) WHERE id = $1', [id, days]);

describe('ConversationStore', () => {
  it('gives back what the adapter wants to see again', async () => {
    const { id, context, shownName } = await open();
    expect([context, shownName]).toEqual([null, null]);
    await touch(id, 'Lunch', NAME);
    expect(await store.find(storage.db, id, BOB_AND_CAROL)).toEqual({
      id,
      context: { subject: 'Lunch' },
      shownName: NAME,
    });
    await touch(id, 'Dinner');
    expect(await latest()).toEqual({ id, context: { subject: 'Dinner' }, shownName: NAME });
  });

  it('belongs to two, and leads nobody else anywhere', async () => {
    const { id } = await open();
    expect(await store.find(storage.db, id, BOB_AND_DAVE)).toBeNull();
    expect(await latest(BOB_AND_DAVE)).toBeNull();
    expect(await store.between(storage.db, id)).toEqual({ ...BOB_AND_CAROL, shownName: null });
    expect(await store.between(storage.db, randomUUID() as ConversationId)).toBeNull();
  });

  it('finds the latest that is young enough', async () => {
    const [first, second] = [await open(), await open()];
    await touch(second.id, 'second');
    await touch(first.id, 'first');
    expect((await latest())!.id).toBe(first.id);
    await age(first.id, 8);
    expect((await latest())!.id).toBe(second.id);
    await age(second.id, 8);
    expect(await latest()).toBeNull();
  });

  it('remembers how somebody was called last, in whatever conversation', async () => {
    expect(await store.lastShownName(storage.db, BOB_AND_CAROL)).toBeNull();
    const [first, second] = [await open(), await open()];
    await touch(first.id, 'first', NAME);
    await touch(second.id, 'second');
    expect(await store.lastShownName(storage.db, BOB_AND_CAROL)).toBe(NAME);
    expect(await store.lastShownName(storage.db, BOB_AND_DAVE)).toBeNull();
  });

  it('keeps nothing readable, and nothing that can be moved to another row', async () => {
    const [first, second] = [await open(), await open()];
    await touch(first.id, 'Our secret', NAME);
    const rows = await storage.db.query('SELECT sealed_context, sealed_shown_name FROM conversation');
    expect(JSON.stringify(rows.map((row) => Object.values(row).map(String)))).not.toMatch(/secret|bob/);
    const sql = `UPDATE conversation SET sealed_context = (SELECT sealed_context FROM conversation WHERE id = $1)
      WHERE id = $2`;
    await storage.db.query(sql, [first.id, second.id]);
    await expect(store.find(storage.db, second.id, BOB_AND_CAROL)).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
  });

  it('purges what rested long and nothing refers to, so many at a time', async () => {
    const all = [await open(), await open(), await open()];
    for (const { id } of all.slice(1)) await age(id, 11);
    expect(await store.purge(storage.db, 10, 1)).toBe(1);
    expect(await store.purge(storage.db, 10, 9)).toBe(1);
    expect((await latest())!.id).toBe(all[0]!.id);
  });
});
