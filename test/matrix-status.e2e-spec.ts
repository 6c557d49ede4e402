import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { retryEvents, troubledEvents } from '../src/adapters/matrix/inbox-care.js';
import { setText } from '../src/naming/contracts/deploy.js';
import { dataRecord, USER_PROFILE_RECORD } from '../src/protocol/profile/record.js';
import type { Person } from '../src/sandbox/people.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { BOT, bridgedRoom, fromRoom, type NamedRoom } from './support/matrix-rooms.js';
import type { MatrixUser, RoomEvent } from './support/matrix-user.js';
import { aliasOf, BOB, matrixWorld } from './support/matrix-world.js';
import { runOperator } from './support/program.js';

const SLOW = { firstSeconds: 0.3, factor: 1, maxSeconds: 0.3 };
const DAVE = '@dm3_dave.eth:hs.test';

describeWithPeer('synapse', 'What somebody on Matrix is told', () => {
  const world = matrixWorld({
    gateway: {
      settings: { delivery: { retry: { dm3: SLOW, matrix: SLOW }, pollSeconds: 0.2, delayNoticeSeconds: 1 } },
    },
  });
  let alice: MatrixUser;
  let room: string;
  let elsewhere: ForeignService;
  let dave: Person;
  beforeAll(async () => {
    elsewhere = await startForeignService(world.gateway, { name: 'ds.foreign.eth' });
    dave = await world.gateway.addPerson('dave.eth', { deliveryService: elsewhere.name });
  });
  afterAll(() => elsewhere?.stop());
  beforeEach(async () => void (alice = await world.somebody()));

  /** Everything the ghost says there, as it stands: without what was redacted, and with what was replaced. */
  const standing = async () => {
    const events = (await alice.messages(room, DAVE)).filter(({ content }) => content.body !== undefined);
    const replaces = ({ content }: RoomEvent) =>
      (content['m.relates_to'] as { rel_type?: string; event_id?: string } | undefined)?.rel_type === 'm.replace'
        ? (content['m.relates_to'] as { event_id: string }).event_id
        : null;
    const newest = new Map(events.map((event) => [replaces(event) ?? event.event_id, event]));
    return [...newest.values()];
  };
  const nothingWaits = () =>
    eventually('an empty queue', async () => (await world.gateway.db.query('SELECT FROM outbox_item')).length === 0);

  describe('while his message waits', () => {
    beforeEach(async () => {
      elsewhere.mood = 'fails';
      room = await alice.chatWith(DAVE);
    });

    it('is that it waits, until it has arrived: then nothing is left of it', async () => {
      const asked = await alice.say(room, 'It may take a while');
      const told = await alice.hear(room, 'has not reached dave.eth yet');
      expect(told.content).toMatchObject({
        msgtype: 'm.notice',
        'm.relates_to': { 'm.in_reply_to': { event_id: asked } },
        'm.mentions': {},
      });
      elsewhere.mood = 'takes';
      await eventually('it to be taken back', async () => (await standing()).length === 0);
      await nothingWaits();
      expect(elsewhere.envelopes.length).toBe(1);
      expect(await standing()).toEqual([]);
    });

    it('is that it waits, until it has failed: then that stands in its place', async () => {
      await alice.say(room, 'It may not arrive');
      const told = await alice.hear(room, 'has not reached dave.eth yet');
      elsewhere.mood = 'refuses';
      const failed = await alice.hear(room, 'did not reach dave.eth');
      expect(failed.content).toMatchObject({
        msgtype: 'm.notice',
        'm.relates_to': { rel_type: 'm.replace', event_id: told.event_id },
        'm.new_content': { body: expect.stringContaining('(FORWARDING_REFUSED)') },
      });
      await nothingWaits();
      expect((await standing()).map(({ event_id }) => event_id)).toEqual([failed.event_id]);
    });
  });

  describe('in a room of several while his message waits for one of them', () => {
    let bridged: NamedRoom;
    beforeEach(async () => {
      elsewhere.mood = 'fails';
      bridged = await bridgedRoom(alice, 'bob.eth dave.eth', { room_version: '10' });
      ({ room } = bridged);
    });

    it('is that it waits, until it has arrived; and the others hear nothing of that', async () => {
      await alice.say(room, 'It may take a while for Dave');
      const told = await answerWith('has not reached dave.eth yet', room);
      elsewhere.mood = 'takes';
      await eventually('it to be taken back', async () => {
        const events = await alice.messages(room, BOT);
        return events.find(({ event_id }) => event_id === told.event_id)!.content.body === undefined;
      });
      await alice.say(room, 'that was it');
      await world.bob.receive('that was it');
      const heard = (await fromRoom(world.bob, bridged.name)).map(({ message }) => message.message);
      expect(heard).toEqual([
        expect.stringContaining('has brought you into'),
        expect.stringContaining('It may take a while for Dave'),
        expect.stringContaining('that was it'),
      ]);
    });

    it('is what became of it where the room goes on, once it was upgraded', async () => {
      const asked = await alice.say(room, 'It may not arrive');
      await answerWith('has not reached dave.eth yet', room);
      const path = `rooms/${encodeURIComponent(room)}/upgrade`;
      const { replacement_room: next } = (await alice.call('POST', path, { new_version: '12' })) as {
        replacement_room: string;
      };
      await alice.untilMember(next, DAVE, 'join');
      elsewhere.mood = 'refuses';
      const failed = await answerWith('did not reach dave.eth', next);
      expect(failed.content['m.relates_to']).toBeUndefined();
      expect(failed.content.body).toContain(
        `https://matrix.to/#/${encodeURIComponent(room)}/${encodeURIComponent(asked)}`,
      );
      await nothingWaits();
    });

    const answerWith = (words: string, where: string) =>
      alice.awaitEvent(where, words, ({ sender, content }) => sender === BOT && !!content.body?.includes(words));
  });

  describe('about who is meant', () => {
    beforeEach(async () => void (room = await alice.chatWith(BOB)));

    it('is a pill where bob names her, and nothing where he does not', async () => {
      const text = `Hello ${alice.id}, or ${aliasOf(alice)}; \`${alice.id}\` and @room stay`;
      await world.bob.send({ to: aliasOf(alice), text });
      const { content } = await alice.hear(room, 'Hello');
      const pill = (words: string) => `<a href="https://matrix.to/#/${alice.id}">${words}</a>`;
      expect(content).toMatchObject({
        body: text,
        formatted_body: `<p>Hello ${pill(alice.id)}, or ${pill(aliasOf(alice))}; <code>${alice.id}</code> and @room stay</p>`,
        'm.mentions': { user_ids: [alice.id] },
      });
      await world.bob.send({ to: aliasOf(alice), text: 'Nobody is woken up by user1' });
      expect((await alice.hear(room, 'Nobody')).content['m.mentions']).toEqual({});
    });

    it('is understood the other way, too', async () => {
      const link = (to: string, words: string) => `<a href="https://matrix.to/#/${to}">${words}</a>`;
      const formatted_body = `${link(BOB, 'Bob')}, ask ${link(alice.id, 'me')} in ${link(`${room}/$x?via=hs.test`, 'this')}`;
      await alice.say(room, { msgtype: 'm.text', body: 'x', format: 'org.matrix.custom.html', formatted_body });
      await world.bob.receive(`bob.eth, ask ${alice.id} in this`);
    });
  });

  describe('of an event that failed for good', () => {
    const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-matrix-status-'));
    const file = path.join(home, 'gateway.yaml');
    const matrix = (...args: string[]) => runOperator(['matrix', ...args, '--config', file]);
    const publish = (value: string) => {
      const { deployer, world: ens } = world.gateway;
      return setText(deployer, { resolver: ens.plainResolver, name: dave.name, key: USER_PROFILE_RECORD, value });
    };
    beforeAll(() => writeFileSync(file, JSON.stringify(world.gateway.settings)));
    afterAll(() => rmSync(home, { recursive: true, force: true }));

    it('may be that an operator had it tried again: it arrives then', async () => {
      const { db } = world.gateway;
      elsewhere.mood = 'takes';
      room = await alice.chatWith(DAVE);
      await publish('');
      const event = await eventually('the name to lead nowhere', async () => {
        await alice.say(room, 'Where are you?');
        return (await troubledEvents(db))[0];
      });
      expect(event).toMatchObject({ state: 'failed', attempts: 1, nextAt: null, isKept: true });
      const { stdout } = await matrix('inbox');
      expect(stdout).toMatch(new RegExp(`^${event.id} +[0-9a-f]{12} +PROFILE_NOT_FOUND +1 `, 'm'));
      for (const secret of [room, alice.id, 'dave', 'Where']) expect(stdout).not.toContain(secret);
      expect(await matrix('retry', 'nonsense')).toMatchObject({ code: 1, stderr: expect.stringContaining('no id') });

      await publish(dataRecord(dave.profile));
      const before = elsewhere.envelopes.length;
      expect(await matrix('retry', event.id)).toMatchObject({ code: 0, stdout: 'It is tried again.\n' });
      await eventually('all that waited to arrive', async () => {
        await retryEvents(db, null); // ENS is remembered for a moment
        return (await troubledEvents(db)).length === 0 && elsewhere.envelopes.length > before;
      });
      expect(await matrix('retry', '--all')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('nothing to be tried again'),
      });
    });
  });
});
