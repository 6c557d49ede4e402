import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { becomes, FakeMatrix, ghostOf } from '../../../../test/support/fake-matrix.js';
import type { TestStorage } from '../../../../test/support/storage.js';
import type { MatrixAdapter } from '../adapter.js';
import type { Portal } from './portal.store.js';

const ALICE = '@alice:hs.test';

let storage: TestStorage;
let world: FakeMatrix;
let adapter: MatrixAdapter;
let portal: Portal;
beforeAll(async () => void (storage = await FakeMatrix.storage('member_commands')));
beforeEach(async () => {
  world = await FakeMatrix.create(storage);
  adapter = await world.start({ limits: { messagesPerMinute: 3 } });
  portal = await world.portal('!room', ['bob.eth', 'carol.eth']);
});
afterEach(() => world.stop());
afterAll(() => storage.close());

const command = (text: string, from?: string) => world.write(adapter, { to: portal.address, text, from });
const answers = () => world.received.map(({ message }) => message.text);

describe('A command that somebody of dm3 writes to the name of a room', () => {
  it('is taken so many times a minute, each identity for itself, repeats not counted', async () => {
    const again = await command('!dm3 members');
    await again();
    await command('!dm3 members');
    await again();
    await command('!dm3 help');
    await again();
    await expect(command('!dm3 members')).rejects.toMatchObject({
      code: 'TOO_MANY_COMMANDS',
      retryable: false,
      message: expect.stringMatching(/^You have given 3 commands in a minute, .* Write again in/),
    });
    await command('!dm3 members', 'carol.eth');
    await world.settled();
    expect(answers()).toHaveLength(4);
    world.now += 60_000;
    await command('!dm3 members');
  });

  it('of a stranger is refused at once, with what he can do, and stands in nobody’s line', async () => {
    const refused = { code: 'NOT_A_MEMBER', retryable: false };
    await expect(command('!dm3 join', 'eve.eth')).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('somebody there can write "!dm3 invite"'),
    });
    world.homeserver.states.set('!room m.room.join_rules', { join_rule: 'public' });
    await expect(command('!dm3 members', 'eve.eth')).rejects.toMatchObject({
      ...refused,
      message: 'You are not in the room !room; "!dm3 join" brings you in.',
    });
    await expect(command('!dm3 leave', 'eve.eth')).rejects.toMatchObject(refused);
    expect(await world.inbox()).toEqual([]);
    await expect(command('!dm3 join', 'eve.eth')).rejects.toMatchObject({ code: 'TOO_MANY_COMMANDS' });
  });

  it('joins who may join by himself', async () => {
    world.homeserver.states.set('!room m.room.join_rules', { join_rule: 'public' });
    await command('!dm3 join', 'eve.eth');
    await world.settled();
    expect(await world.stateOf(portal, 'eve.eth')).toBe('joined');
    expect(answers()).toEqual(['You take part in the room !room.']);
  });
});

describe('What somebody has written who is sent out before it leaves', () => {
  it('is refused when its turn comes, even where everybody may join', async () => {
    world.homeserver.states.set('!room m.room.join_rules', { join_rule: 'public' });
    const waiting = await world.render(adapter, { to: portal.address, text: 'still here?' });
    const retracting = await world.render(adapter, {
      to: portal.address,
      message: { type: 'delete' },
      target: `dm3.${'0'.repeat(40)}.0`,
    });
    await world.bring(adapter, becomes('ban', ghostOf('bob.eth'), '!room', ALICE));
    await world.settled();
    expect(await world.stateOf(portal, 'bob.eth')).toBe('removed');
    for (const send of [waiting, retracting]) {
      await expect(send()).rejects.toMatchObject({ code: 'NOT_A_MEMBER', retryable: false });
    }
    expect(world.homeserver.said).toEqual([]);
  });
});
