import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { becomes, BOT, FakeMatrix, ghostOf, Refusal, says } from '../../../../test/support/fake-matrix.js';
import { eventually } from '../../../../test/support/eventually.js';
import type { TestStorage } from '../../../../test/support/storage.js';
import type { RemoteId } from '../../../common/ids.js';
import type { OutgoingNotice } from '../../../gateway/adapter/adapter.js';
import type { MatrixAdapter } from '../adapter.js';
import type { Portal } from './portal.store.js';

const ALICE = '@alice:hs.test';
const OLD = '!old';
const NEW = '!new';

let storage: TestStorage;
let world: FakeMatrix;
let adapter: MatrixAdapter;
let portal: Portal;
beforeAll(async () => void (storage = await FakeMatrix.storage('matrix_upgrades')));
beforeEach(async () => {
  world = await FakeMatrix.create(storage);
  adapter = await world.start();
  portal = await world.portal(OLD, ['bob.eth', 'carol.eth']);
  const { states } = world.homeserver;
  states.set(`${OLD} m.room.tombstone`, { replacement_room: NEW });
  // As content and as the whole event.
  states.set(`${NEW} m.room.create`, { predecessor: { room_id: OLD }, sender: ALICE, content: {} });
});
afterEach(() => world.stop());
afterAll(() => storage.close());

const tombstone = {
  type: 'm.room.tombstone',
  sender: ALICE,
  room_id: OLD,
  state_key: '',
  content: { replacement_room: NEW },
};
async function upgrade(): Promise<void> {
  await world.bring(adapter, tombstone);
  await world.settled();
}
const notice = (about: string, more: Partial<OutgoingNotice> = {}): OutgoingNotice => ({
  id: randomUUID().replaceAll('-', '').padEnd(64, '0'),
  status: 'failed',
  to: portal.address,
  receiver: 'bob.eth',
  about: about as RemoteId,
  reason: { code: 'GONE', text: 'Nobody is there.' },
  conversation: { room: OLD, ghost: BOT, thread: null, auto: false },
  ...more,
});
const tell = async (told: OutgoingNotice) => adapter.send((await adapter.renderNotice(told))!);
const saidIn = (room: string) => world.homeserver.said.filter((each) => each.room === room);
const texts = () =>
  world.received.filter(({ message }) => !message.text.startsWith('The room')).map(({ message }) => message.text);

describe('A room that was upgraded', () => {
  it('has notices about what was said before in the new room, with a link and without a relation', async () => {
    await upgrade();
    await tell(notice('$early'));
    const [told] = saidIn(NEW).filter(({ content }) => String(content['body']).includes('GONE'));
    expect(told!.as).toBe(BOT);
    expect(told!.content['m.relates_to']).toBeUndefined();
    expect(told!.content['body']).toContain('https://matrix.to/#/!old/%24early');
    expect(saidIn(OLD)).toEqual([]);
  });

  it('has a delay taken back that was told in the new room, and one that was told in the old one left alone', async () => {
    await upgrade();
    const delayed = notice('$early', { status: 'delayed', reason: { code: 'AWAY', text: 'Nobody is there yet.' } });
    await tell(delayed);
    await tell(notice('$early', { replaces: delayed.id }));
    const [first] = saidIn(NEW).filter(({ content }) => String(content['body']).includes('AWAY'));
    expect(first).toBeDefined();
    expect(world.homeserver.redacted).toHaveLength(1);
    expect(world.homeserver.redacted[0]).toMatchObject({ room: NEW });
    expect(saidIn(NEW).at(-1)!.content['m.new_content']).toBeUndefined();

    world.homeserver.forbids = ({ what }) => what === 'redact'; // it is not in this room
    await tell(notice('$early', { status: 'arrived', replaces: delayed.id }));
  });

  it('takes what still waited in the old one, also where the bot came by an invitation', async () => {
    world.takes = ({ message }) => {
      if (message.text.includes('early words')) throw new Refusal('OVERLOADED', { retryable: true });
    };
    await world.bring(adapter, says(ALICE, OLD, 'early words'), says(ALICE, OLD, '!dm3 members'));
    await eventually('it to wait', async () => (await world.inbox('attempts > 0')).length > 0);
    world.homeserver.members = (room) => (room === NEW ? [ALICE] : []);
    await world.bring(adapter, becomes('invite', BOT, NEW, ALICE));
    await eventually('the room to be followed', async () => (await world.portals.find(storage.db, NEW)) !== null);
    world.takes = () => undefined;
    await world.settled();
    expect(texts()).toEqual([`**${ALICE}**: early words`, `**${ALICE}**: early words`]);
    const answer = saidIn(NEW).find(({ content }) => String(content['body']).includes('take part (2)'));
    expect(answer!.content['m.relates_to']).toBeUndefined();
  });

  it('goes on while one of its members still waits for what was said before, who gets it in its order', async () => {
    world.takes = ({ to: [target] }) => {
      if (target!.name === 'carol.eth') throw new Refusal('BUSY', { retryable: true });
    };
    await world.bring(adapter, says(ALICE, OLD, 'early words'));
    await eventually('it to wait', async () => (await world.inbox('attempts > 0')).length > 0);
    world.homeserver.members = (room) => (room === NEW ? [ALICE] : []);
    await world.bring(adapter, becomes('invite', BOT, NEW, ALICE), says(ALICE, NEW, 'late words'));
    await eventually('bob to have all', async () => texts().length === 2);
    world.takes = () => undefined;
    await world.settled();
    const both = [`**${ALICE}**: early words`, `**${ALICE}**: late words`];
    expect(texts()).toEqual([...both, ...both]);
  });

  it('leaves behind who cannot come along, and tells him', async () => {
    const bob = ghostOf('bob.eth');
    world.homeserver.forbids = ({ what, room, as }) =>
      room === NEW && ((what === 'join' && as === bob) || what === 'invite');
    await upgrade();
    expect(await world.stateOf(portal, 'bob.eth')).toBe('removed');
    expect(await world.stateOf(portal, 'carol.eth')).toBe('joined');
    const told = world.received.map(({ message, to: [target] }) => [target!.name, message.text]);
    expect(told).toEqual([['bob.eth', expect.stringContaining('goes on in another one, which you could not join')]]);
    expect(world.homeserver.left.map(({ who }) => who).sort()).toEqual([
      `${OLD} ${bob}`,
      `${OLD} ${ghostOf('carol.eth')}`,
      `${OLD} ${BOT}`,
    ]);
    await expect(world.write(adapter, { to: portal.address })).rejects.toMatchObject({ code: 'NOT_A_MEMBER' });
  });

  it('says in the new one what of it did not arrive', async () => {
    world.takes = ({ message }) => {
      if (message.text.includes('early words')) throw new Refusal('OVERLOADED', { retryable: true });
    };
    await world.bring(adapter, says(ALICE, OLD, 'early words'));
    await eventually('it to wait', async () => (await world.inbox('attempts > 0')).length > 0);
    await world.bring(adapter, becomes('invite', BOT, NEW, ALICE));
    await eventually('the room to be followed', async () => (await world.portals.find(storage.db, NEW)) !== null);
    world.takes = ({ message, to: [target] }) => {
      if (message.text.includes('early words') && target!.name === 'bob.eth') throw new Refusal('UNWANTED');
    };
    await world.settled();
    const told = saidIn(NEW).find(({ content }) => String(content['body']).includes('(UNWANTED)'));
    expect(told!.content['m.relates_to']).toBeUndefined();
    expect(saidIn(OLD)).toEqual([]);
  });
});
