import { setTimeout as delay } from 'node:timers/promises';
import { it } from '@jest/globals';
import { describeWithPeer } from '../../support/describe-with-peer.js';
import { surviveOutage } from '../../support/matrix-outage.js';
import { BOB, matrixWorld } from '../../support/matrix-world.js';
import { chance } from '../support/chance.js';
import { reported, SCENARIO_MS } from '../support/progress.js';

/** What an upgrade of a homeserver takes. */
const AWAY_MS = 120_000;

describeWithPeer('synapse', 'a homeserver', () => {
  const { seed } = chance('matrix-outage');
  const world = matrixWorld();

  it(
    'that is away for two minutes',
    async () => {
      await reported('synapse, away for two minutes', seed, async () => {
        const alice = await world.somebody();
        const room = await alice.chatWith(BOB);
        await surviveOutage(world, { alice, room, away: () => delay(AWAY_MS) });
        return { letters: 60 };
      });
    },
    SCENARIO_MS + 2 * AWAY_MS,
  );
});
