import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeHomeserver } from '../../../test/support/fake-homeserver.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import { silentLog } from '../../ops/event-log.js';
import { MatrixApi } from './api.js';
import { EventStore } from './event.store.js';
import { Homeserver } from './homeserver.js';
import { MatrixHousekeeping } from './housekeeping.js';
import { InboxStore } from './inbox.store.js';
import { RoomStore } from './room.store.js';
import { MatrixRooms } from './rooms.js';

const BOB = '@dm3_bob.eth:hs.test';
const speakerTo = (user: string) => ({
  name: 'bob.eth' as EnsName,
  identity: `0x${'b0'.repeat(20)}` as EthAddress,
  ghost: BOB,
  user,
  room: null,
});

let storage: TestStorage;
let homeserver: FakeHomeserver;
let store: RoomStore;
let rooms: MatrixRooms;
/** Rooms whose first event was looked at. */
let looked: string[];
beforeAll(async () => void (storage = await openTestStorage('rooms')));
beforeEach(async () => {
  await storage.db.query('TRUNCATE matrix_room');
  homeserver = await FakeHomeserver.start();
  const api = new MatrixApi(new Homeserver({ url: homeserver.url, token: 'secret', timeoutMs: 5_000 }));
  looked = [];
  const state = api.state.bind(api);
  api.state = (as, room, type) => {
    looked.push(room);
    return state(as, room, type);
  };
  store = new RoomStore(storage.sealer);
  rooms = new MatrixRooms({ db: storage.db, api, store, serverName: 'hs.test', newChat: async () => undefined });
});
afterEach(() => homeserver.stop());
afterAll(() => storage.close());

const states = async () =>
  (await storage.db.query<{ state: string }>('SELECT state FROM matrix_room ORDER BY created_at')).map(
    ({ state }) => state,
  );
const making = (user: string) => store.add(storage.db, { ...speakerTo(user), state: 'making', roomId: null });

describe('A chat that is about to be made', () => {
  it('is over where the homeserver refuses it for good; its room is left, and the next message begins anew', async () => {
    homeserver.refusesInvitations = true;
    const refused = { code: 'M_FORBIDDEN', retryable: false };
    await expect(rooms.forSending(speakerTo('@alice:hs.test'), true)).rejects.toMatchObject(refused);
    await making('@carol:hs.test'); // from a time when it stayed
    await expect(rooms.forSending(speakerTo('@carol:hs.test'), true)).rejects.toMatchObject(refused);
    expect(await states()).toEqual(['closed', 'closed']);
    expect(homeserver.left.map(({ who }) => who)).toEqual(homeserver.rooms.map((room) => `${room} ${BOB}`));
    homeserver.refusesInvitations = false;
    const { room } = (await rooms.forSending(speakerTo('@alice:hs.test'), true)) ?? {};
    expect(room).toBe(homeserver.rooms.at(-1));
    expect(await states()).toEqual(['closed', 'closed', 'invited']);
  });

  it('is looked for only where she may be the one it is made for', async () => {
    for (let number = 0; number < 20; number += 1) await making(`@user${number}:hs.test`);
    expect(await rooms.of('!unknown', '@alice:hs.test')).toBeNull();
    expect(looked).toEqual([]);
    await making('@alice:hs.test');
    expect(await rooms.of('!unknown', '@alice:hs.test')).toBeNull();
    expect(looked).toEqual(['!unknown']);
    await storage.db.query('UPDATE matrix_room SET user_key = NULL'); // as an earlier version wrote them
    expect(await rooms.of('!unknown', '@alice:hs.test')).toBeNull();
    expect(looked).toEqual(['!unknown', '!unknown']);
  });

  it('is given up after a month', async () => {
    const { db, sealer } = storage;
    await making('@alice:hs.test');
    await db.query("UPDATE matrix_room SET created_at = now() - interval '31 days'");
    await making('@carol:hs.test');
    const [inbox, events] = [new InboxStore(sealer), new EventStore(sealer)];
    await new MatrixHousekeeping({ db, inbox, events, rooms: store, log: silentLog, deadLetterDays: 30 }).run();
    expect(await states()).toEqual(['closed', 'making']);
  });
});
