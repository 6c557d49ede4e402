import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addressOf } from '../../../../test/support/delivery-world.js';
import { openTestStorage, type TestStorage } from '../../../../test/support/storage.js';
import type { EnsName, ForeignAddress } from '../../../common/ids.js';
import { MemberStore } from './member.store.js';
import { PortalStore } from './portal.store.js';

let storage: TestStorage;
let portals: PortalStore;
let members: MemberStore;
beforeAll(async () => {
  storage = await openTestStorage('portals');
  portals = new PortalStore(storage.sealer);
  members = new MemberStore(storage.sealer);
});
beforeEach(async () => void (await storage.db.query('TRUNCATE matrix_portal CASCADE')));
afterAll(() => storage.close());

const ROOM = { roomId: '!one', address: 'matrix:r/dev:hs.test' as ForeignAddress, shown: '#dev:hs.test' };
const person = (digit: string) => ({
  identity: addressOf(digit),
  name: `${digit}.eth` as EnsName,
  ghost: `@dm3_${digit}.eth:hs.test`,
  target: { name: `${digit}.eth` as EnsName, address: addressOf(digit), sizeLimit: 100_000 },
  since: null,
});

describe('PortalStore', () => {
  it('finds a portal by its room and by its name', async () => {
    const made = (await portals.add(storage.db, ROOM))!;
    expect(made).toMatchObject({ ...ROOM, state: 'closed' });
    await portals.setState(storage.db, made, 'open');
    expect(await portals.find(storage.db, '!one')).toEqual({ ...made, state: 'open' });
    expect(await portals.byAddress(storage.db, ROOM.address)).toEqual({ ...made, state: 'open' });
    expect(await portals.find(storage.db, '!two')).toBeNull();
  });

  it('gives neither a room nor a name away twice', async () => {
    await portals.add(storage.db, ROOM);
    expect(await portals.add(storage.db, { ...ROOM, roomId: '!two' })).toBeNull();
    expect(await portals.add(storage.db, { ...ROOM, address: 'matrix:roomid/one' as ForeignAddress })).toBeNull();
  });

  it('follows a room to where it goes, unless somebody else is there', async () => {
    const made = (await portals.add(storage.db, ROOM))!;
    await portals.add(storage.db, { ...ROOM, roomId: '!taken', address: 'matrix:roomid/taken' as ForeignAddress });
    expect(await portals.move(storage.db, made, '!taken')).toBeNull();
    const moved = (await portals.move(storage.db, made, '!next'))!;
    expect(await portals.find(storage.db, '!next')).toEqual(moved);
    expect(await portals.find(storage.db, '!one')).toBeNull();
    expect(await portals.byAddress(storage.db, ROOM.address)).toEqual(moved);
  });

  it('keeps nothing readable', async () => {
    const made = (await portals.add(storage.db, ROOM))!;
    await members.put(storage.db, made, 'joined', person('b'));
    const sql = 'SELECT p::text, m::text FROM matrix_portal p JOIN matrix_member m ON m.portal_id = p.id';
    const rows = await storage.db.query<{ p: string; m: string }>(sql);
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toMatch(/dev|one|eth|dm3_/);
  });
});

describe('MemberStore', () => {
  it('lists who takes part, each once, in the order they came', async () => {
    const portal = (await portals.add(storage.db, ROOM))!;
    for (const digit of ['b', 'c', 'd']) await members.put(storage.db, portal, 'joined', person(digit));
    await members.put(storage.db, portal, 'joined', person('b'));
    await members.put(storage.db, portal, 'asked', person('e'));
    const names = async () => (await members.joined(storage.db, portal)).map(({ name }) => name);
    expect(await names()).toEqual(['b.eth', 'c.eth', 'd.eth']);
    const carol = (await members.find(storage.db, portal, addressOf('c')))!;
    expect(carol).toMatchObject({ ...person('c'), state: 'joined', portalId: portal.id });
    await members.setState(storage.db, carol, 'removed');
    expect(await names()).toEqual(['b.eth', 'd.eth']);
    expect(await members.in(storage.db, portal, ['asked', 'removed'])).toHaveLength(2);
    await members.put(storage.db, portal, 'joined', person('c'));
    expect(await names()).toEqual(['b.eth', 'c.eth', 'd.eth']);
  });

  it('tells rooms apart', async () => {
    const portal = (await portals.add(storage.db, ROOM))!;
    const other = { roomId: '!two', address: 'matrix:roomid/two' as ForeignAddress, shown: '!two' };
    await members.put(storage.db, portal, 'joined', person('b'));
    expect(await members.find(storage.db, (await portals.add(storage.db, other))!, addressOf('b'))).toBeNull();
  });
});
