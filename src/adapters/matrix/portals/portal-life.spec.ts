import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { becomes, BOT, FakeMatrix, ghostOf, identityOf, Refusal, says } from '../../../../test/support/fake-matrix.js';
import { eventually } from '../../../../test/support/eventually.js';
import type { TestStorage } from '../../../../test/support/storage.js';
import type { EnsName } from '../../../common/ids.js';
import type { MatrixAdapter } from '../adapter.js';
import type { Portal } from './portal.store.js';

const ALICE = '@alice:hs.test';
const ROOM = '!room';

let storage: TestStorage;
let world: FakeMatrix;
let adapter: MatrixAdapter;
let portal: Portal;
beforeAll(async () => void (storage = await FakeMatrix.storage('portal_life')));
beforeEach(async () => {
  world = await FakeMatrix.create(storage);
  adapter = await world.start();
  portal = await world.portal(ROOM, ['bob.eth', 'carol.eth']);
  world.homeserver.states.set(`${ROOM} m.room.create`, { sender: ALICE, content: {} });
  world.homeserver.members = () => [ALICE];
});
afterEach(() => world.stop());
afterAll(() => storage.close());

const toldTo = (name: string) =>
  world.received.filter(({ to: [target] }) => target!.name === name).map(({ message }) => message.text);
const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}.eth`);
async function answerTo(command: string): Promise<string> {
  await world.bring(adapter, says(ALICE, ROOM, command));
  await world.settled();
  return world.homeserver.notices(ROOM).at(-1) ?? '';
}

describe('What a member says into a room that is being upgraded', () => {
  beforeEach(() => void (world.homeserver.forbids = ({ what }) => what === 'send'));

  it('waits until all have gone over', async () => {
    world.homeserver.states.set(`${ROOM} m.room.tombstone`, { replacement_room: '!next' });
    const refused = { code: 'ROOM_UPGRADED', retryable: true };
    await expect(world.write(adapter, { to: portal.address })).rejects.toMatchObject(refused);
    world.homeserver.forbids = () => false;
    await world.write(adapter, { to: portal.address, text: 'over here' });
    expect(world.homeserver.said.map(({ content }) => content['body'])).toEqual(['over here']);
  });

  it('is refused for good where it is not', async () => {
    const refused = { code: 'M_FORBIDDEN', retryable: false };
    await expect(world.write(adapter, { to: portal.address })).rejects.toMatchObject(refused);
  });
});

describe('A room whose bridge ends while members cannot be told', () => {
  it('is over all the same where that is for one of them alone, who is told later', async () => {
    world.takes = ({ to: [target] }) => {
      if (target!.name === 'carol.eth') throw new Refusal('BUSY', { retryable: true });
    };
    await world.bring(adapter, says(ALICE, ROOM, 'last words'), becomes('leave', BOT, ROOM, ALICE));
    await eventually('it to be closed', async () => {
      return (await world.portals.find(storage.db, ROOM))!.state === 'closed';
    });
    for (const name of ['bob.eth', 'carol.eth']) expect(await world.stateOf(portal, name)).toBe('left');
    expect(toldTo('carol.eth')).toEqual([]);
    world.takes = () => undefined;
    await world.settled();
    const over = `${ALICE} has ended the bridge to the room ${ROOM}.`;
    expect(toldTo('bob.eth')).toEqual([`**${ALICE}**: last words`, over]);
    expect(toldTo('carol.eth')).toEqual([over]);
  });

  it('is closed to all at once, and tells each once', async () => {
    world.takes = ({ to: [target] }) => {
      if (target!.name === 'carol.eth') throw new Refusal('OVERLOADED', { retryable: true });
    };
    await world.bring(adapter, becomes('leave', BOT, ROOM, ALICE));
    await eventually('it to be tried again', async () => (await world.inbox('attempts > 1')).length > 0);
    expect((await world.portals.find(storage.db, ROOM))!.state).toBe('closing');
    expect(await world.stateOf(portal, 'bob.eth')).toBe('left');
    expect(await world.stateOf(portal, 'carol.eth')).toBe('joined');
    for (const from of ['bob.eth', 'carol.eth', 'eve.eth']) {
      await expect(world.write(adapter, { to: portal.address, from })).rejects.toMatchObject({ code: 'NOT_BRIDGED' });
    }
    world.takes = () => undefined;
    await world.settled();
    expect((await world.portals.find(storage.db, ROOM))!.state).toBe('closed');
    for (const name of ['bob.eth', 'carol.eth']) {
      expect(toldTo(name)).toEqual([`${ALICE} has ended the bridge to the room ${ROOM}.`]);
    }
  });
});

describe('A name that came to belong to somebody else', () => {
  it('is in the room for its new owner alone', async () => {
    const address = identityOf('new owner');
    world.lookup = (name) => ({ name: name as EnsName, address, sizeLimit: null });
    await world.bring(adapter, becomes('invite', ghostOf('bob.eth'), ROOM, ALICE));
    await world.settled();
    expect(await world.stateOf(portal, 'bob.eth')).toBe('removed');
    expect(await world.stateOf(portal, 'new owner')).toBe('joined');
    await expect(world.write(adapter, { to: portal.address })).rejects.toMatchObject({ code: 'NOT_A_MEMBER' });
  });

  it('is not sought elsewhere while nobody can tell whose it is: what is said goes to whom it was', async () => {
    world.lookup = () => {
      throw new Refusal('NAMING_UNAVAILABLE', { retryable: true });
    };
    await world.bring(adapter, says(ALICE, ROOM, 'hello'));
    await world.settled();
    expect(toldTo('bob.eth')).toEqual([`**${ALICE}**: hello`]);
    expect(world.received[0]!.to[0]!.address).toBe(identityOf('bob.eth'));
    expect(await world.stateOf(portal, 'bob.eth')).toBe('joined');
    expect(world.homeserver.notices(ROOM)).toEqual([]);
  });
});

describe('Commands of large rooms', () => {
  it('name so many people at a time', async () => {
    let asked = 0;
    const { lookup } = world;
    world.lookup = (name) => {
      asked += 1;
      return lookup(name);
    };
    expect(await answerTo(`!dm3 invite ${names(21).join(' ')}`)).toBe('Please name 20 people at most at a time.');
    expect(asked).toBe(0);
    expect(await answerTo(`!dm3 invite ${names(20).join(' ')}`)).toContain('- n19.eth takes part.');
  });

  it('are answered with so many lines', async () => {
    for (const name of names(58)) await world.join(portal, name);
    const answer = await answerTo('!dm3 members');
    expect(answer).toContain('take part (60)');
    expect(answer.match(/^- \S+\.eth$/gm)).toHaveLength(50);
    expect(answer).toContain('- and 10 more');
  });
});

describe('What is said in a room', () => {
  it('is marked where it means nothing to who does not have what it is about', async () => {
    const relation = { rel_type: 'm.annotation', event_id: '$x', key: '+' };
    const about = { sender: ALICE, room_id: ROOM };
    await world.bring(
      adapter,
      { ...says(ALICE, ROOM, 'hello'), event_id: '$x' },
      { ...about, type: 'm.reaction', content: { 'm.relates_to': relation } },
      says(ALICE, ROOM, '* hi', {
        'm.relates_to': { rel_type: 'm.replace', event_id: '$x' },
        'm.new_content': { msgtype: 'm.text', body: 'hi' },
      }),
      { ...about, type: 'm.room.redaction', content: { redacts: '$x' } },
    );
    await world.settled();
    const marked = world.received
      .filter(({ to: [target] }) => target!.name === 'bob.eth')
      .map(({ message, onlyIfKnown }) => [message.type, onlyIfKnown]);
    expect(marked).toEqual([
      ['new', false],
      ['reaction', true],
      ['edit', false],
      ['delete', true],
    ]);
  });

  it('is what members say, and nothing that the bot says or takes back', async () => {
    const redaction = { type: 'm.room.redaction', room_id: ROOM, content: { redacts: '$x' } };
    await world.bring(adapter, { ...redaction, sender: BOT }, says(BOT, ROOM, 'hello'));
    expect(await world.inbox()).toEqual([]);
    await world.bring(adapter, { ...redaction, sender: ghostOf('bob.eth') }, says(ghostOf('bob.eth'), ROOM, 'hello'));
    expect(await world.inbox()).toHaveLength(2);
    await world.settled();
    expect(toldTo('carol.eth')).toEqual(['**bob.eth**: hello']);
  });
});

describe('Somebody of ours who may neither speak nor leave any more', () => {
  it('holds up nobody for it', async () => {
    world.homeserver.forbids = ({ what, room }) => room === '!gone' && (what === 'send' || what === 'leave');
    world.lookup = () => {
      throw new Refusal('PROFILE_NOT_FOUND');
    };
    await world.bring(adapter, becomes('invite', ghostOf('nobody.eth'), '!gone', ALICE));
    await world.bring(adapter, says(ALICE, '!gone', '!dm3 help'));
    await world.settled();
    const tried = world.homeserver.calls.filter(({ room }) => room === '!gone').map(({ what }) => what);
    expect(tried).toEqual(expect.arrayContaining(['join', 'send', 'leave']));
    expect(await world.inbox("state = 'failed' OR attempts > 0")).toEqual([]);
  });
});
