import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { becomes, FakeMatrix, ghostOf, says } from '../../../test/support/fake-matrix.js';
import type { FakeHomeserver } from '../../../test/support/fake-homeserver.js';
import type { TestStorage } from '../../../test/support/storage.js';
import type { NeutralType } from '../../gateway/adapter/message.js';
import { AccessList } from './access.js';
import type { MatrixAdapter } from './adapter.js';
import type { MatrixConfigInput } from './config.js';
import { Doorkeeper } from './doorkeeper.js';
import type { MatrixEvent } from './event.js';
import { MEMBER_COMMAND } from './portals/command-text.js';

const ALICE = '@alice:hs.test';
const CAROL = '@carol:hs.test';
const EVE = '@eve:evil.test';
const BOB = ghostOf('bob.eth');
const HOUR_MS = 3_600_000;
const LEFT_MS = 30_000;
/** So long before a minute and an hour are over. */
const START = 1_790_000_000_000 - (1_790_000_000_000 % HOUR_MS) + HOUR_MS - LEFT_MS;

let storage: TestStorage;
let world: FakeMatrix;
let homeserver: FakeHomeserver;
beforeAll(async () => void (storage = await FakeMatrix.storage('doorkeeper')));
beforeEach(async () => {
  world = await FakeMatrix.create(storage);
  world.now = START;
  ({ homeserver } = world);
});
afterEach(() => world.stop());
afterAll(() => storage.close());

/** Another one is what another process has, or the same one after a restart. */
const start = (config: Partial<MatrixConfigInput> = {}) => world.start(config);
const bring = (adapter: MatrixAdapter, ...events: object[]) => world.bring(adapter, ...events);
const invites = (sender: string, room: string) => becomes('invite', BOB, room, sender);
const waiting = async (where = '') => {
  const sql = `SELECT count(*)::int AS count FROM matrix_inbox WHERE state = 'waiting' ${where}`;
  return (await storage.db.query<{ count: number }>(sql))[0]!.count;
};
const settled = () => world.settled();
const putOff = (count: number) =>
  eventually(`${count} rooms to wait`, async () => (await waiting("AND code = 'SENDER_TOO_FAST'")) === count);
/** The next minute and the next hour, also for what waits for them. */
async function timePasses(): Promise<void> {
  world.now += LEFT_MS;
  await storage.db.query('UPDATE matrix_inbox SET next_at = next_at - make_interval(secs => $1)', [LEFT_MS / 1_000]);
}
const texts = () => world.received.map(({ message }) => message.text);

describe('Somebody who writes too fast', () => {
  const config = { limits: { messagesPerMinute: 3 } };
  const five = [1, 2, 3, 4, 5].map((count) => `message ${count}`);

  it('is told once, and heard to the end in his order, while others are served', async () => {
    const adapter = await start(config);
    await bring(adapter, invites(ALICE, '!a'), invites(ALICE, '!b'), invites(CAROL, '!c'));
    await settled();
    await bring(adapter, ...five.map((text) => says(ALICE, '!a', text)));
    await putOff(1);
    await bring(adapter, says(ALICE, '!b', 'in another room'), says(CAROL, '!c', 'from somebody else'));
    await putOff(2);
    await eventually('carol to be heard', async () => texts().includes('from somebody else'));
    expect(texts()).toEqual([...five.slice(0, 3), 'from somebody else']);
    expect(homeserver.notices('!a')).toEqual([
      'You write faster than 3 messages a minute: your messages follow, in their order, as fast as that.',
    ]);
    expect(homeserver.notices('!b')).toEqual([]);

    await timePasses();
    await settled();
    expect(texts().filter((text) => text.startsWith('message'))).toEqual(five);
    expect(texts()).toContain('in another room');
    expect(homeserver.said).toHaveLength(1);
    const [tried] = await storage.db.query<{ times: number }>('SELECT max(attempts) AS times FROM matrix_inbox');
    expect(tried!.times).toBe(1); // it waited for its minute
  });

  it('is counted over all processes', async () => {
    const rooms = Array.from({ length: 8 }, (_, index) => `!room${index}`);
    const [one] = [await start(config), await start(config)];
    await bring(one, ...rooms.map((room) => invites(ALICE, room)));
    await settled();
    await bring(one, ...rooms.map((room) => says(ALICE, room, room)));
    await putOff(5);
    await eventually('the others to be handled', async () => (await waiting()) === 5);
    expect(world.received).toHaveLength(3);
  });

  it('may read as he likes, and machines that nobody hears are not told', async () => {
    const adapter = await start(config);
    await bring(adapter, invites(ALICE, '!a'));
    await settled();
    const notices = five.map((text) => says(ALICE, '!a', text, { msgtype: 'm.notice' }));
    const receipt = { type: 'm.receipt', room_id: '!a', content: { $x: { 'm.read': { [ALICE]: {} } } } };
    await bring(adapter, ...notices, ...five.slice(0, 3).map((text) => says(ALICE, '!a', text)));
    await adapter.take({ events: [], ephemeral: [receipt] });
    await settled();
    expect(texts().filter((text) => text !== '')).toEqual(five.slice(0, 3));
    expect(homeserver.said).toEqual([]);
  });
});

describe('Somebody on Matrix who opens too many chats', () => {
  it('is told why the first time, finds the reason with each refusal, and is served again later', async () => {
    const adapter = await start({ limits: { invitationsPerHour: 2 } });
    await bring(adapter, ...['!1', '!2', '!3', '!4'].map((room) => invites(ALICE, room)));
    await bring(adapter, invites(CAROL, '!5'));
    await settled();
    const refused = ['!1', '!2', '!3', '!4'].filter((room) =>
      homeserver.left.some(({ who }) => who === `${room} ${BOB}`),
    );
    expect(refused).toHaveLength(2);
    const reason = 'You have opened 2 chats in an hour, and no more are taken. Please invite me again in a minute.';
    expect(homeserver.left.map((each) => each.reason)).toEqual([reason, reason]);
    expect(homeserver.said.map(({ content }) => content['body'])).toEqual([reason]);
    expect(homeserver.joined).toContain(`!5 ${BOB}`);

    await timePasses();
    await bring(adapter, invites(ALICE, '!6'));
    await settled();
    expect(homeserver.joined).toContain(`!6 ${BOB}`);
  });
});

describe('A dm3 user who writes to too many strangers', () => {
  it('is refused for good with the reason; chats that are there go on', async () => {
    const adapter = await start({ limits: { newChatsPerHour: 2 } });
    await write(adapter, { to: ALICE });
    await write(adapter, { to: CAROL });
    await expect(write(adapter, { to: '@dora:hs.test' })).rejects.toMatchObject({
      code: 'TOO_MANY_CHATS',
      retryable: false,
      message:
        'You have opened 2 new chats on Matrix in an hour, and no more are opened for you. Write again in a minute.',
    });
    await write(adapter, { to: ALICE });
    await write(adapter, { from: 'dave.eth', to: '@dora:hs.test' });
    await timePasses();
    await write(adapter, { to: '@dora:hs.test' });
    expect(homeserver.rooms).toHaveLength(4);
  });
});

describe('Somebody whom the operator does not let in', () => {
  const config = { allow: ['@*:hs.test', '@*:evil.test'], block: ['*:evil.test'] };

  it('is told so when he invites a ghost, and nothing of it is passed on', async () => {
    const adapter = await start(config);
    await bring(adapter, invites(EVE, '!1'), invites('@x:elsewhere.test', '!2'), invites(ALICE, '!3'));
    await settled();
    for (const room of ['!1', '!2']) expect(homeserver.notices(room)).toEqual([expect.stringMatching(/not let you/)]);
    expect(homeserver.left.map(({ who }) => who).sort()).toEqual([`!1 ${BOB}`, `!2 ${BOB}`]);
    expect(homeserver.notices('!3')).toEqual([]);
  });

  it('is told so once in a chat that was there before, and not for what says nothing', async () => {
    const before = await start();
    await bring(before, invites(EVE, '!chat'), invites(EVE, '!second'), invites(ALICE, '!other'));
    await settled();
    await before.stop();
    const after = await start(config);
    const receipt = { type: 'm.receipt', room_id: '!chat', content: { $x: { 'm.read': { [EVE]: {} } } } };
    const reaction = { 'm.relates_to': { rel_type: 'm.annotation', event_id: '$x', key: '+' } };
    await after.take({ events: [], ephemeral: [receipt] });
    await bring(after, { ...says(EVE, '!chat', ''), type: 'm.reaction', content: reaction });
    await settled();
    expect(homeserver.said).toEqual([]);
    await bring(after, says(EVE, '!chat', 'one'), says(EVE, '!chat', 'two'), says(ALICE, '!other', 'hello'));
    await settled();
    await after.stop();
    const again = await start(config);
    await bring(again, says(EVE, '!chat', 'three'));
    await settled();
    await bring(again, says(EVE, '!second', 'here, too'));
    await settled();
    const told = [expect.stringMatching(/operator of this gateway does not let you/)];
    expect(homeserver.notices('!chat')).toEqual(told);
    expect(homeserver.notices('!second')).toEqual(told);
    expect(texts()).toEqual(['hello']);
  });

  it('is not written to: the author is told for good; reactions and receipts are left out', async () => {
    const adapter = await start(config);
    await expect(write(adapter, { to: EVE })).rejects.toMatchObject({
      code: 'NOT_SERVED',
      retryable: false,
      message: expect.stringContaining(EVE),
    });
    await write(adapter, { to: EVE, type: 'reaction' });
    await write(adapter, { to: EVE, type: 'read-opened' });
    await write(adapter, { to: ALICE });
    expect(homeserver.said.map(({ content }) => content['body'])).toEqual(['hello']);
  });
});

describe('What people of dm3 say in a room of several', () => {
  it('is nobody’s on Matrix, whom lists and limits are for', async () => {
    const passed: MatrixEvent[] = [];
    const refuse = () => Promise.reject(new Error('It was counted.'));
    const doorkeeper = new Doorkeeper({
      handler: { handle: async (event) => void passed.push(event), fail: refuse },
      access: new AccessList({ allow: ['@*:hs.test'], block: [] }),
      limits: { message: refuse, invitation: refuse },
      membership: { say: refuse, decline: refuse, reject: refuse },
      voiceFor: refuse,
      isOurs: (userId) => userId === BOB,
      bridgeNotices: false,
      now: () => world.now,
    });
    const [command, echo] = [{ ...says('bob.eth', '!x', '!dm3 leave') }, says(BOB, '!x', 'hello')];
    for (const event of [{ ...command, type: MEMBER_COMMAND }, echo])
      await doorkeeper.handle({ event_id: '$x', ...event });
    expect(passed).toHaveLength(2);
  });
});

function write(
  adapter: MatrixAdapter,
  { from, to, type = 'new' }: { from?: string; to: string; type?: NeutralType },
): Promise<unknown> {
  return world.write(adapter, { from, to, message: { type }, ...(type === 'new' ? {} : { target: '$x' }) });
}
