import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { becomes, BOT, FakeMatrix, ghostOf, identityOf, says } from '../../../test/support/fake-matrix.js';
import { eventually } from '../../../test/support/eventually.js';
import type { TestStorage } from '../../../test/support/storage.js';
import type { EnsName } from '../../common/ids.js';
import type { MatrixAdapter } from './adapter.js';
import { RoomStore } from './room.store.js';

const ALICE = '@alice:hs.test';
const BOB = ghostOf('bob.eth');

let storage: TestStorage;
let world: FakeMatrix;
let adapter: MatrixAdapter;
beforeAll(async () => void (storage = await FakeMatrix.storage('matrix_concern')));
beforeEach(async () => {
  world = await FakeMatrix.create(storage);
  adapter = await world.start();
});
afterEach(() => world.stop());
afterAll(() => storage.close());

const kept = async () => (await world.inbox()).length;
const texts = () => world.received.map(({ message }) => message.text);
const receipt = (room: string) => ({
  type: 'm.receipt',
  room_id: room,
  content: { $x: { 'm.read': { [ALICE]: {} } } },
});

describe('What the homeserver brings from a room in which only the bot sits', () => {
  it('is not kept, but for what is said to us', async () => {
    await world.bring(adapter, becomes('invite', BOT, '!r', ALICE));
    await world.settled();
    const before = await kept();
    await world.bring(adapter, says(ALICE, '!r', 'among us'), becomes('join', '@carol:hs.test', '!r'));
    await adapter.take({ events: [], ephemeral: [receipt('!r')] });
    expect(await kept()).toBe(before);
    await world.bring(adapter, says(ALICE, '!r', 'among us'), says(ALICE, '!r', '!dm3 help'));
    expect(await kept()).toBe(before + 1);
    await world.settled();
    expect(world.homeserver.notices('!r').at(-1)).toContain('!dm3 unbridge');
  });

  it('is kept behind an invitation or a command, until that was carried out', async () => {
    await world.bring(adapter, becomes('invite', BOB, '!chat', ALICE), says(ALICE, '!chat', 'one'));
    await world.bring(adapter, says(ALICE, '!chat', 'two'));
    await world.settled();
    await world.bring(adapter, says(ALICE, '!chat', 'three'));
    await world.settled();
    expect(texts()).toEqual(['one', 'two', 'three']);

    let isAway = true;
    world.lookup = (name) => {
      if (isAway) throw new Error('ENS is away');
      return { name: name as EnsName, address: identityOf(name), sizeLimit: null };
    };
    await world.bring(adapter, becomes('invite', ghostOf('carol.eth'), '!late', ALICE));
    await eventually('it to be tried', async () => (await world.inbox('attempts > 0')).length > 0);
    await world.bring(adapter, says(ALICE, '!late', 'are you there?'));
    isAway = false;
    await world.settled();
    expect(texts().at(-1)).toBe('are you there?');
  });

  it('is kept where it is a chat that is being made', async () => {
    const chat = { roomId: null, ghost: BOB, name: 'bob.eth' as EnsName, identity: identityOf('bob.eth'), user: ALICE };
    const row = await new RoomStore(storage.sealer).add(storage.db, { ...chat, state: 'making' });
    world.homeserver.states.set('!made m.room.create', { 'network.dm3.chat': row.id });
    await world.bring(adapter, becomes('join', ALICE, '!made'), says(ALICE, '!made', 'faster than you'));
    await world.settled();
    expect(texts()).toEqual(['faster than you']);
  });

  it('is kept in rooms that are bridged, and not any more when they are not', async () => {
    const portal = await world.portal('!portal', ['bob.eth']);
    await world.bring(adapter, says(ALICE, '!portal', 'hello'));
    await adapter.take({ events: [], ephemeral: [receipt('!portal')] });
    await world.settled();
    expect(await kept()).toBe(2);
    await world.portals.setState(storage.db, portal, 'closed');
    const other = await world.start();
    await world.bring(other, says(ALICE, '!portal', 'a secret'));
    expect(await kept()).toBe(2);
  });
});
