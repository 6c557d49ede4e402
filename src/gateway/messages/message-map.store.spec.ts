import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { ConversationId, Hash, NetworkId, RemoteId } from '../../common/ids.js';
import { ConversationStore } from '../conversations/conversation.store.js';
import { MessageMapStore, type MappedIds } from './message-map.store.js';

const BOB = addressOf('b');
const ALICE = addressOf('a');
const EMAIL = 'email' as NetworkId;
const hash = (digit: string) => `0x${digit.repeat(64)}` as Hash;
const remote = (text: string) => text as RemoteId;
const IDS: MappedIds = {
  messageHash: hash('1'),
  encryptedMessageHash: hash('2'),
  referredBy: hash('1'),
  remoteId: remote('<a@example.org>'),
};

let storage: TestStorage;
let store: MessageMapStore;
let conversation: ConversationId;
beforeAll(async () => {
  storage = await openTestStorage('map');
  store = new MessageMapStore(storage.sealer);
  const conversations = new ConversationStore(storage.sealer);
  conversation = (await conversations.open(storage.db, { identity: BOB, ghost: addressOf('c') })).id;
});
beforeEach(async () => void (await storage.db.query('TRUNCATE message_map')));
afterAll(() => storage.close());

const add = (changes: Partial<MappedIds> = {}, owner = BOB) =>
  store.add(storage.db, { owner, network: EMAIL, conversation, ids: { ...IDS, ...changes } });
const count = async () => (await storage.db.query('SELECT 1 FROM message_map')).length;

describe('MessageMapStore', () => {
  it('finds a message by its foreign id and by either hash, in any case', async () => {
    await add();
    const mapped = { ...IDS, owner: BOB, conversation };
    expect(await store.byRemote(storage.db, BOB, EMAIL, IDS.remoteId)).toEqual(mapped);
    expect(await store.byHash(storage.db, BOB, hash('1'))).toEqual(mapped);
    expect(await store.byHash(storage.db, BOB, hash('2'))).toEqual(mapped);
    expect(await store.byOwnRemote(storage.db, EMAIL, IDS.remoteId)).toEqual(mapped);
    await add({ messageHash: hash('a'), remoteId: remote('<b@example.org>') });
    expect(await store.byHash(storage.db, BOB, hash('A'))).toMatchObject({ remoteId: '<b@example.org>' });
  });

  it('leaves an id that is taken to the conversation that has it', async () => {
    await add();
    const conversations = new ConversationStore(storage.sealer);
    const { id: other } = await conversations.open(storage.db, { identity: BOB, ghost: addressOf('d') });
    const ids = { ...IDS, messageHash: hash('9'), referredBy: hash('9') };
    await store.add(storage.db, { owner: BOB, network: EMAIL, conversation: other, ids });
    expect(await store.byRemote(storage.db, BOB, EMAIL, IDS.remoteId)).toEqual({ ...IDS, owner: BOB, conversation });
    await add({ referredBy: hash('2') });
    expect(await store.byRemote(storage.db, BOB, EMAIL, IDS.remoteId)).toMatchObject({ referredBy: hash('2') });
  });

  it('shows nobody else’s messages', async () => {
    await add();
    expect(await store.byRemote(storage.db, ALICE, EMAIL, IDS.remoteId)).toBeNull();
    expect(await store.byRemote(storage.db, BOB, 'matrix' as NetworkId, IDS.remoteId)).toBeNull();
    expect(await store.byHash(storage.db, ALICE, hash('1'))).toBeNull();
    expect(await store.byHash(storage.db, BOB, hash('3'))).toBeNull();
  });

  it('keeps one mail to two people apart', async () => {
    await add();
    await add({ messageHash: hash('3') }, ALICE);
    expect(await store.byRemote(storage.db, ALICE, EMAIL, IDS.remoteId)).toMatchObject({ messageHash: hash('3') });
    expect(await store.byRemote(storage.db, BOB, EMAIL, IDS.remoteId)).toMatchObject({ messageHash: hash('1') });
  });

  it('takes the newest hashes of a message that is mapped again, and still opens', async () => {
    await add();
    await add({ encryptedMessageHash: hash('4'), referredBy: hash('4') });
    expect(await count()).toBe(1);
    expect(await store.byHash(storage.db, BOB, hash('4'))).toMatchObject({ referredBy: hash('4') });
    expect(await store.byHash(storage.db, BOB, hash('2'))).toBeNull();
  });

  it('shows whoever holds the database no id', async () => {
    await add();
    const [row] = await storage.db.query('SELECT * FROM message_map');
    expect(JSON.stringify(Object.values(row!).map(String))).not.toMatch(/example|1111|2222/);
  });

  it('purges what is old, so many at a time', async () => {
    for (const name of ['a', 'b', 'c']) await add({ remoteId: remote(name) });
    await storage.db.query("UPDATE message_map SET created_at = now() - interval '401 days'");
    await add({ remoteId: remote('young') });
    expect(await store.purge(storage.db, 400, 2)).toBe(2);
    expect(await store.purge(storage.db, 400, 2)).toBe(1);
    expect(await count()).toBe(1);
  });
});
