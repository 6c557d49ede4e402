import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWithPeer } from '../support/describe-with-peer.js';
import { RealClient } from '../support/dm3-lib.js';
import { eventually } from '../support/eventually.js';
import { GatewayProcess } from '../support/gateway-process.js';
import type { MatrixUser } from '../support/matrix-user.js';
import { aliasOf, BOB } from '../support/matrix-world.js';
import { SYNAPSE_PATIENCE_MS, SynapseWorld } from '../support/synapse.js';
import { TestGateway } from '../support/test-gateway.js';
import { chance } from './support/chance.js';
import { pointsOf } from './support/kill-point-suite.js';
import { leftovers, waiting } from './support/leftovers.js';
import { reported, SCENARIO_MS } from './support/progress.js';
import { here } from './support/service-process.js';

const FAST = { firstSeconds: 0.2, factor: 1.5, maxSeconds: 1 };
const TEXTS = 6;
const ANSWER = /I connect Matrix rooms|carol.eth takes part|has come along|not bridged any more/;
const BOT = '@dm3bot:hs.test';
const CAROL = '@dm3_carol.eth:hs.test';

/** The steps that only Matrix has, with a real homeserver; the others are the same for every network. */
describeWithPeer('synapse', 'a kill, with messages under way over Matrix', () => {
  const { seed, between } = chance('matrix');
  let home: string;
  let hitFile: string;
  let synapse: SynapseWorld;
  let world: TestGateway;
  let bob: RealClient;
  let carol: RealClient;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-faults-matrix-'));
    hitFile = path.join(home, 'hit');
    synapse = await SynapseWorld.start();
    world = await TestGateway.create();
    bob = await RealClient.create(world, world.bob);
    carol = await RealClient.create(world, await world.addPerson('carol.eth', { signUp: true }));
    gateway = await start();
  }, SYNAPSE_PATIENCE_MS);
  afterAll(async () => {
    await gateway?.kill();
    await world?.stop();
    await synapse?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  /** @param kill where it ends itself */
  function start(kill: { point: string; nth: number } | null = null): Promise<GatewayProcess> {
    const delivery = { ...world.settings.delivery, retry: { matrix: FAST, dm3: FAST }, leaseSeconds: 1 };
    const env = {
      NODE_OPTIONS: `--import=${here('preload.mjs')}`,
      FAULT_PLAN: JSON.stringify({ hitFile, zone: {}, kill }),
    };
    return GatewayProcess.start(world, home, {
      port: synapse.gatewayPort,
      settings: { delivery },
      matrix: synapse.config,
      env,
    });
  }

  it.each(pointsOf('matrix'))(
    'at %s: nothing is lost or doubled, and the order is kept',
    async (point) => {
      await reported(`matrix killed at ${point}`, seed, async () => {
        const alice = await synapse.user(point.replace('.', '-'));
        const room = await alice.chatWith(BOB);
        await alice.say(room, 'before');
        const fromAlice = async () =>
          (await bob.incoming()).filter(({ message }) => message.metadata.from === aliasOf(alice));
        await eventually('the first', async () => (await fromAlice()).length > 0);
        await gateway.kill();
        const nth = between(1, TEXTS / 2);
        gateway = await start({ point, nth });
        const texts = Array.from({ length: TEXTS }, (_, index) => `text ${index}`);
        for (const text of texts) await alice.say(room, text);
        await gateway.program.ended;
        expect(existsSync(hitFile) && readFileSync(hitFile, 'utf8')).toBe(point);
        rmSync(hitFile);
        gateway = await start();
        await eventually('all of them', async () => (await fromAlice()).length > TEXTS);
        expect((await fromAlice()).map(({ message }) => message.message)).toEqual(['before', ...texts]);
        expect((await alice.messages(room)).filter(({ sender }) => sender !== alice.id)).toEqual([]);
        await nothingIsLeft();
        return { nth, letters: TEXTS };
      });
    },
    SCENARIO_MS,
  );

  it.each(pointsOf('portal'))(
    'at %s: a room is bridged, spoken in, upgraded and unbridged, and everybody hears all of it once',
    async (point) => {
      await reported(`matrix room killed at ${point}`, seed, async () => {
        const nth = point === 'portal.moved' ? 1 : between(1, 2);
        await gateway.kill();
        gateway = await start({ point, nth });
        const revived = gateway.program.ended.then(async () => {
          expect(existsSync(hitFile) && readFileSync(hitFile, 'utf8')).toBe(point);
          rmSync(hitFile);
          gateway = await start();
        });
        const alice = await synapse.user(point.replace('.', '-'));
        const { name, rooms } = await lifeOfARoom(alice, point.replace('.', ''));
        await revived;
        for (const person of [bob, carol]) {
          const heard = (await person.incoming()).filter(({ message }) => message.metadata.from === name);
          const texts = heard.map(({ message }) => /brought you|text \d|not bridged/.exec(message.message!)![0]);
          expect(texts).toEqual(['brought you', 'text 0', 'text 1', 'text 2', 'text 3', 'not bridged']);
        }
        await nothingIsLeft();
        const said = (await Promise.all(rooms.map((room) => alice.messages(room)))).flat();
        const answers = said.filter(({ sender }) => sender !== alice.id);
        expect(answers.map(({ sender, content }) => [sender, ANSWER.exec(content.body!)?.[0] ?? content.body])).toEqual(
          [
            [BOT, 'I connect Matrix rooms'],
            [BOT, 'carol.eth takes part'],
            [BOT, 'has come along'],
            [BOT, 'not bridged any more'],
          ],
        );
        return { nth, letters: 12 };
      });
    },
    SCENARIO_MS,
  );

  /** Nobody has a notice, and whatever came of what was said, in the mailboxes, is all that was accepted. */
  async function nothingIsLeft(): Promise<void> {
    await eventually('nothing to wait', async () => (await waiting(world.db)) === 0);
    const arrived = (await Promise.all([bob, carol].map((person) => person.incoming()))).flat().length;
    expect(await leftovers(world.db, { queued: arrived, deposited: arrived })).toEqual([]);
    expect(await world.db.query("SELECT id FROM message WHERE direction = 'notice'")).toEqual([]);
  }

  /** @returns the room's name in dm3, and what it was on Matrix, first and last */
  async function lifeOfARoom(alice: MatrixUser, alias: string): Promise<{ name: string; rooms: string[] }> {
    const room = await alice.createRoom([BOT], { preset: 'public_chat', is_direct: false, room_alias_name: alias });
    await alice.untilMember(room, BOT, 'join');
    await alice.say(room, '!dm3 bridge bob.eth carol.eth');
    await alice.hear(room, '- carol.eth takes part.');
    for (const text of ['text 0', 'text 1']) await alice.say(room, text);
    const name = `_room.${alias}._at.hs.test.matrix.gateway.eth`;
    const answer = (await alice.call('POST', `rooms/${encodeURIComponent(room)}/upgrade`, { new_version: '12' })) as {
      replacement_room: string;
    };
    const next = answer.replacement_room;
    await alice.untilMember(next, BOT, 'join');
    for (const text of ['text 2', 'text 3']) await alice.say(next, text);
    await alice.say(next, '!dm3 unbridge');
    await alice.hear(next, 'This room is not bridged any more');
    for (const ghost of [BOB, CAROL]) await alice.untilMember(next, ghost, 'leave');
    for (const person of [bob, carol]) {
      await eventually('the farewell', async () =>
        (await person.incoming()).some(
          ({ message }) => message.metadata.from === name && message.message!.includes('not bridged'),
        ),
      );
    }
    return { name, rooms: [room, next] };
  }
});
