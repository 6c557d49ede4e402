import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWithPeer } from './support/describe-with-peer.js';
import { RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { GatewayProcess } from './support/gateway-process.js';
import { ask } from './support/http-answer.js';
import { aliasOf, BOB } from './support/matrix-world.js';
import { SYNAPSE_PATIENCE_MS, SynapseWorld } from './support/synapse.js';
import { TestGateway } from './support/test-gateway.js';

const FAST = { firstSeconds: 0.2, factor: 1.5, maxSeconds: 1 };

describeWithPeer('synapse', 'A gateway between Matrix and dm3', () => {
  let home: string;
  let synapse: SynapseWorld;
  let world: TestGateway;
  let gateway: GatewayProcess;
  let bob: RealClient;

  /** Bob hands in at the process, again until it takes the message; he reads from the other, over the same database. */
  const send = async (to: string, text: string): Promise<void> => {
    const envelope = await bob.seal(await bob.compose({ to, text }));
    const body = { jsonrpc: '2.0', method: 'dm3_submitMessage', params: [JSON.stringify(envelope)] };
    await eventually(`"${text}" to be taken`, async () =>
      ask(`${gateway.url}/ds/rpc`, { body }).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
  };
  /** The one that speaks Matrix is a process of its own. */
  const start = async () => {
    const delivery = {
      ...world.settings.delivery,
      retry: { matrix: FAST, dm3: FAST },
      leaseSeconds: 2,
      pollSeconds: 0.2,
    };
    const options = { port: synapse.gatewayPort, settings: { delivery }, matrix: synapse.config };
    gateway = await GatewayProcess.start(world, home, options);
  };

  beforeAll(async () => {
    home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-matrix-crash-'));
    synapse = await SynapseWorld.start();
    world = await TestGateway.create();
    bob = await RealClient.create(world, world.bob);
    await start();
  }, SYNAPSE_PATIENCE_MS);
  afterAll(async () => {
    await gateway?.kill();
    await world?.stop();
    await synapse?.stop();
    if (home) rmSync(home, { recursive: true, force: true });
  });

  it('that is killed under traffic loses nothing, doubles nothing, and keeps the order on both sides', async () => {
    const alice = await synapse.user('alice');
    const room = await alice.chatWith(BOB);
    const texts = (who: string) => Array.from({ length: 30 }, (_, index) => `${who} ${index}`);
    const traffic = Promise.all([
      (async () => {
        for (const text of texts('alice')) await alice.say(room, text);
      })(),
      (async () => {
        for (const text of texts('bob')) await send(aliasOf(alice), text);
      })(),
    ]);
    for (const few of [1, 10, 20]) {
      const count = few + randomInt(8);
      await eventually(`${count} messages`, async () => (await alice.messages(room, BOB)).length >= count);
      await gateway.kill(); // whatever it is doing just then
      await start();
    }
    await traffic;
    const received = await eventually('all of alice', async () => {
      const all = (await bob.incoming()).map(({ message: { message } }) => message);
      return all.length >= 30 && all;
    });
    const heard = await eventually('all of bob', async () => {
      const all = (await alice.messages(room, BOB)).map(({ content }) => content.body);
      return all.length >= 30 && all;
    });
    expect(received).toEqual(texts('alice'));
    expect(heard).toEqual(texts('bob'));
    expect(await alice.invitations()).toEqual([]);
  }, 180_000);

  it('that is killed before it hears of the room it made finds that room again', async () => {
    const alice = await synapse.user('carol');
    const lost = synapse.link.loseAnswerTo('createRoom');
    await send(aliasOf(alice), 'the first');
    await lost;
    await eventually('the room', async () => (await alice.invitations()).length === 1);
    await gateway.kill(); // which never heard of it
    await synapse.link.mend();
    const room = await alice.acceptInvitation(BOB);
    await alice.say(room, 'faster than you');
    await start();
    await bob.receive('faster than you');
    await alice.hear(room, 'the first');
    expect(await alice.invitations()).toEqual([]);
    expect(await alice.messages(room, BOB)).toHaveLength(1);
  }, 120_000);

  it('that is started again on the same database makes no event at all', async () => {
    const alice = await synapse.user('dora');
    const room = await alice.chatWith(BOB);
    await alice.say(room, 'before');
    await bob.receive('before');
    await send(aliasOf(alice), 'after the first start');
    await alice.hear(room, 'after the first start');
    const before = await alice.timeline(room);
    await gateway.stop();
    await start();
    await send(aliasOf(alice), 'after the second start');
    const last = await alice.hear(room, 'after the second start');
    const after = await alice.timeline(room);
    expect(after.slice(0, -1).map(({ event_id }) => event_id)).toEqual(before.map(({ event_id }) => event_id));
    expect(after.at(-1)!.event_id).toBe(last.event_id);
    expect(await alice.invitations()).toEqual([]);
  }, 120_000);
});
