import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { becomes, BOT, FakeMatrix, ghostOf, Refusal, says } from '../../../test/support/fake-matrix.js';
import type { TestStorage } from '../../../test/support/storage.js';
import type { MatrixAdapter } from './adapter.js';

const ALICE = '@alice:hs.test';
const CHAT = '!chat';
const ROOM = '!room';
const TWO_HOURS_MS = 7_200_000;

let storage: TestStorage;
let world: FakeMatrix;
let adapter: MatrixAdapter;
beforeAll(async () => void (storage = await FakeMatrix.storage('event_delays')));
beforeEach(async () => {
  world = await FakeMatrix.create(storage);
  adapter = await world.start();
  world.homeserver.members = () => [ALICE];
  await world.bring(adapter, becomes('invite', ghostOf('bob.eth'), CHAT, ALICE));
  await world.settled();
});
afterEach(() => world.stop());
afterAll(() => storage.close());

const away = () => {
  throw new Refusal('NAMING_UNAVAILABLE', { retryable: true });
};
const said = (text: string, event_id: string, room = CHAT) => ({ ...says(ALICE, room, text), event_id });
const tried = (times: number) =>
  eventually('it to be tried', async () => (await world.inbox(`attempts >= ${times}`)).length > 0);

describe('What a person on Matrix said and the gateway cannot handle', () => {
  it('is told of once when it has waited for long, and no more when it has arrived', async () => {
    const known = world.lookup;
    world.lookup = away;
    world.now = Date.now();
    await world.bring(adapter, said('hello', '$one'), said('behind it', '$two'));
    await tried(2);
    expect(world.homeserver.notices(CHAT)).toEqual([]);
    world.now += TWO_HOURS_MS;
    await eventually('a notice', async () => world.homeserver.notices(CHAT).length > 0);
    await tried(5);
    expect(world.homeserver.notices(CHAT)).toEqual([
      expect.stringMatching(
        /^Your message has not reached bob\.eth yet\. We go on trying until \d{4}-\d\d-\d\d .* UTC/,
      ),
    ]);
    const [notice] = world.homeserver.said.filter(({ content }) => content['msgtype'] === 'm.notice');
    expect(notice).toMatchObject({
      as: ghostOf('bob.eth'),
      content: { 'm.relates_to': { 'm.in_reply_to': { event_id: '$one' } }, 'm.mentions': {} },
    });
    expect(world.homeserver.redacted).toEqual([]);
    world.lookup = known;
    await world.settled();
    expect(world.received.map(({ message }) => message.text)).toEqual(['hello', 'behind it']);
    expect(world.homeserver.redacted).toHaveLength(1);
    expect(world.homeserver.redacted[0]!.room).toBe(CHAT);
  });

  it('has its failure told instead, where it fails', async () => {
    world.lookup = away;
    world.now = Date.now() + TWO_HOURS_MS;
    await world.bring(adapter, said('hello', '$three'));
    await eventually('a notice', async () => world.homeserver.notices(CHAT).length > 0);
    world.lookup = () => {
      throw new Refusal('NAME_NOT_FOUND');
    };
    await world.settled();
    expect(world.homeserver.notices(CHAT)).toEqual([
      expect.stringContaining('has not reached bob.eth yet'),
      expect.stringContaining('did not reach bob.eth'),
    ]);
    expect(world.homeserver.redacted).toHaveLength(1);
  });

  it('is told of by the bot where several are', async () => {
    await world.portal(ROOM, ['bob.eth']);
    world.takes = () => away();
    world.now = Date.now() + TWO_HOURS_MS;
    await world.bring(adapter, said('hello', '$four', ROOM));
    await eventually('a notice', async () => world.homeserver.notices(ROOM).length > 0);
    expect(world.homeserver.said.at(-1)).toMatchObject({ room: ROOM, as: BOT });
    expect(world.homeserver.notices(ROOM)).toEqual([expect.stringContaining('has not reached bob.eth yet')]);
    world.takes = () => undefined;
    await world.settled();
    expect(world.homeserver.redacted).toHaveLength(1);
  });
});
