import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWithPeer } from '../support/describe-with-peer.js';
import { RealClient } from '../support/dm3-lib.js';
import { eventually } from '../support/eventually.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { aliasOf, BOB } from '../support/matrix-world.js';
import { SYNAPSE_PATIENCE_MS, SynapseWorld } from '../support/synapse.js';
import { TestGateway } from '../support/test-gateway.js';
import { chance } from './support/chance.js';
import { pointsOf } from './support/kill-point-suite.js';
import { reported, SCENARIO_MS } from './support/progress.js';
import { here } from './support/service-process.js';

const FAST = { firstSeconds: 0.2, factor: 1.5, maxSeconds: 1 };
const TEXTS = 6;

/** The steps that only Matrix has, with a real homeserver; the others are the same for every network. */
describeWithPeer('synapse', 'a kill, with messages under way over Matrix', () => {
  const { seed, between } = chance('matrix');
  let home: string;
  let hitFile: string;
  let synapse: SynapseWorld;
  let world: TestGateway;
  let bob: RealClient;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-faults-matrix-'));
    hitFile = path.join(home, 'hit');
    synapse = await SynapseWorld.start();
    world = await TestGateway.create();
    bob = await RealClient.create(world, world.bob);
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
        return { nth, letters: TEXTS };
      });
    },
    SCENARIO_MS,
  );
});
