import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually } from '../../../../test/support/eventually.js';
import { adapterOn } from '../../../../test/support/fake-matrix.js';
import { FakeHomeserver } from '../../../../test/support/fake-homeserver.js';
import { openTestStorage, type TestStorage } from '../../../../test/support/storage.js';
import { GatewayError } from '../../../common/errors.js';
import type { EnsName, EthAddress, ForeignAddress } from '../../../common/ids.js';
import type { ForeignMessage, GatewayPort, Target } from '../../../gateway/adapter/adapter.js';
import type { MatrixAdapter } from '../adapter.js';
import { ghostId } from '../ghost-id.js';
import { MemberStore } from './member.store.js';
import { PortalStore } from './portal.store.js';

const ROOM = '!dev';
const ALICE = '@alice:hs.test';
const PEOPLE = ['bob.eth', 'carol.eth', 'dave.eth'];

let storage: TestStorage;
let homeserver: FakeHomeserver;
let adapter: MatrixAdapter;
let received: ForeignMessage[];
/** What carol's messages meet. */
let trouble: Error | null;
beforeAll(async () => void (storage = await openTestStorage('fan_out')));
beforeEach(async () => {
  await storage.db.query('TRUNCATE matrix_inbox, matrix_portal, matrix_event, matrix_ghost, rate_window CASCADE');
  [received, trouble] = [[], null];
  homeserver = await FakeHomeserver.start();
  await bridge();
  adapter = adapterOn(storage, homeserver.url);
  await adapter.start(port);
});
afterEach(async () => {
  await adapter.stop();
  await homeserver.stop();
});
afterAll(() => storage.close());

const targetOf = (name: string): Target => ({
  name: name as EnsName,
  address: `0x${Buffer.from(name).toString('hex').padStart(40, '0')}` as EthAddress,
  sizeLimit: null,
});
const port: GatewayPort = {
  lookup: async (name) => targetOf(name),
  receive: async (message) => {
    if (trouble && message.to[0]!.name === 'carol.eth') throw trouble;
    if (!received.some(({ dedup, to }) => dedup === message.dedup && to[0]!.name === message.to[0]!.name))
      received.push(message);
    return { status: 'accepted', id: randomUUID() };
  },
  reportFailure: async () => {},
};

async function bridge(): Promise<void> {
  const { db, sealer } = storage;
  const portals = new PortalStore(sealer);
  const portal = (await portals.add(db, {
    roomId: ROOM,
    address: 'matrix:r/dev:hs.test' as ForeignAddress,
    shown: '#dev:hs.test',
  }))!;
  await portals.setState(db, portal, 'open');
  for (const name of PEOPLE) {
    const target = targetOf(name);
    const ghost = ghostId(target.name, 'hs.test');
    const member = { identity: target.address, name: target.name, ghost, target, since: null };
    await new MemberStore(sealer).put(db, portal, 'joined', member);
  }
}

const says = async (...texts: string[]) => {
  const events = texts.map((body) => ({
    type: 'm.room.message',
    event_id: `$${randomUUID()}`,
    sender: ALICE,
    room_id: ROOM,
    content: { msgtype: 'm.text', body },
  }));
  await adapter.take({ events });
};
const heardBy = (name: string) =>
  received.filter(({ to }) => to[0]!.name === name).map(({ message }) => message.text.replace(`**${ALICE}**: `, ''));
const hears = (name: string, ...texts: string[]) =>
  eventually(`${name} to hear ${texts.join()}`, async () => heardBy(name).join() === texts.join());
const full = () =>
  new GatewayError({ code: 'FULL', kind: 'limit-exceeded', message: 'There is no room today.', retryable: true });
const count = async (state: string) => {
  const sql = 'SELECT count(*)::int AS count FROM matrix_inbox WHERE state = $1';
  return (await storage.db.query<{ count: number }>(sql, [state]))[0]!.count;
};
const waiting = () => count('waiting');
const handled = () => count('done');

describe('A member who cannot get a message just now', () => {
  it('holds up nobody, and gets all of it in its order once it is possible', async () => {
    trouble = full();
    await says('one', 'two', 'three');
    for (const name of ['bob.eth', 'dave.eth']) await hears(name, 'one', 'two', 'three');
    expect(heardBy('carol.eth')).toEqual([]);
    await eventually('what is left to wait for her alone', async () => (await waiting()) === 3);
    trouble = null;
    await says('four');
    for (const name of PEOPLE) await hears(name, 'one', 'two', 'three', 'four');
    await eventually('nothing to wait', async () => (await waiting()) === 0);
    await says('five');
    for (const name of PEOPLE) await hears(name, 'one', 'two', 'three', 'four', 'five');
    expect(homeserver.notices(ROOM)).toEqual([]);
  });

  it('never gets it after a week, or once he is refused for good: the room is told once a message', async () => {
    trouble = full();
    await says('late', 'later');
    await eventually('both to wait for her alone', async () => (await handled()) === 2 && (await waiting()) === 2);
    await storage.db.query("UPDATE matrix_inbox SET received_at = now() - interval '8 days', next_at = now()");
    const told = await eventually('two notices', async () => {
      const notices = homeserver.notices(ROOM);
      return notices.length === 2 ? notices : null;
    });
    for (const notice of told) expect(notice).toContain('carol.eth: There is no room today. (FULL)');
    await says('last');
    await eventually('it to wait', async () => (await handled()) === 3 && (await waiting()) === 1);
    trouble = new GatewayError({ code: 'SPAM', kind: 'spam', message: 'She takes nothing from you.' });
    await eventually('a third one', async () => homeserver.notices(ROOM).length === 3);
    expect(homeserver.notices(ROOM)[2]).toContain('carol.eth: She takes nothing from you. (SPAM)');
    await hears('bob.eth', 'late', 'later', 'last');
  });

  it('and has left by then gets it no more', async () => {
    trouble = full();
    await says('before');
    await hears('dave.eth', 'before');
    await eventually('it to wait', async () => (await handled()) === 1 && (await waiting()) === 1);
    await adapter.take({
      events: [
        {
          type: 'm.room.member',
          event_id: `$${randomUUID()}`,
          sender: ALICE,
          room_id: ROOM,
          state_key: '@dm3_carol.eth:hs.test',
          content: { membership: 'leave' },
        },
      ],
    });
    await says('after');
    await hears('dave.eth', 'before', 'after');
    trouble = null;
    await eventually('nothing to wait', async () => (await waiting()) === 0);
    expect(heardBy('carol.eth')).toEqual([`${ALICE} has removed you from the room #dev:hs.test.`]);
  });

  it('is no reason to go on where nobody can get it: the room waits as it is', async () => {
    const busy = { code: 'OVERLOADED', kind: 'limit-exceeded', message: 'Too much.', retryable: true } as const;
    trouble = new GatewayError(busy);
    await says('one', 'two');
    await hears('bob.eth', 'one');
    await eventually('the room to wait', async () => (await waiting()) === 2);
    trouble = null;
    for (const name of PEOPLE) await hears(name, 'one', 'two');
  });
});
