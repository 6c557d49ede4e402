import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { KillPoint } from '../../src/ops/kill-points.js';
import { eventually } from '../support/eventually.js';
import { chance } from './support/chance.js';
import { FaultWorld } from './support/fault-world.js';
import { pointsOf } from './support/kill-point-suite.js';
import { usualFate, type Direction } from './support/letters.js';
import { disturb, mend, type PeerName } from './support/peers.js';
import { reported, SCENARIO_MS } from './support/progress.js';

const SOON = { DM3_GATEWAY_DELIVERY__DELAY_NOTICE_SECONDS: '1' };
/** Which peer has to be in trouble for letters of a direction to wait. */
const WAITS_FOR: readonly (readonly [Direction, PeerName])[] = [
  ['to-dm3', 'service'],
  ['from-dm3', 'mail'],
];
const CASES = pointsOf('delay').flatMap((point) =>
  WAITS_FOR.map(([direction, peer]): [KillPoint, Direction, PeerName] => [point, direction, peer]),
);

describe('a kill while authors are told that their letters wait', () => {
  const { seed, between } = chance('delay');
  let world: FaultWorld;
  beforeAll(async () => {
    world = await FaultWorld.open({ fake: false, env: SOON });
  }, SCENARIO_MS);
  afterAll(() => world?.close());

  it.each(CASES)(
    'at %s, %s: each is told once, and each letter arrives once',
    async (point, direction, name) => {
      await reported(`${direction} killed at ${point}`, seed, async () => {
        if (!world.service.isAlive) await world.start(SOON);
        const peer = world.peers.find((each) => each.name === name)!;
        const written = await world.traffic.email.write([direction], 1);
        const letters = written.filter(({ needs, text }) => needs.includes(name) && !text.includes('rex'));
        for (const letter of letters) {
          const { arrivals, notices } = usualFate(letter);
          world.fates.set(letter.id, { arrivals, notices: notices + 1 });
        }
        await disturb(peer, '5xx', 0);
        const nth = between(1, letters.length);
        await world.service.armKill({ point, nth });
        const handedIn = world.handIn(letters);
        expect(await world.service.death).toBe(point);
        await world.countMailsInFlight();
        await world.start(SOON);
        await handedIn;
        await eventually('all of them to be told', async () => {
          const told = await world.told();
          return letters.every(({ id }) => told.has(id));
        });
        await mend(peer);
        await world.settled();
        expect(await world.violations()).toEqual([]);
        return { nth, letters: letters.length };
      });
    },
    SCENARIO_MS,
  );
});
