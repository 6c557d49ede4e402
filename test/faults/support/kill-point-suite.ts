import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KILL_POINTS, type KillPoint } from '../../../src/ops/kill-points.js';
import { chance } from './chance.js';
import { FaultWorld } from './fault-world.js';
import type { Direction } from './letters.js';
import { reported, SCENARIO_MS } from './progress.js';
import { DIRECTIONS } from './traffic.js';

/** Letters of each pair at each kill: each point is passed at least twice by them, with others beside it. */
const PER_PAIR = 2;

/** Steps of one direction are met by its letters only; steps of the queue are met by each direction alone. */
const OF_ONE_DIRECTION: Readonly<Record<string, Direction>> = {
  receive: 'to-dm3',
  'to-dm3': 'to-dm3',
  notice: 'to-dm3',
  submit: 'from-dm3',
  'from-dm3': 'from-dm3',
};

/** Steps by which letters do not come that nobody holds up and that have one network, by how they begin; each has a suite. */
const APART = ['matrix', 'portal', 'delay', 'operator'] as const;

/** The steps that begin so. */
export function pointsOf(beginning: (typeof APART)[number]): KillPoint[] {
  return KILL_POINTS.filter((point) => beginningOf(point) === beginning);
}

const isApart = (point: KillPoint) => (APART as readonly string[]).includes(beginningOf(point));

const beginningOf = (point: KillPoint) => point.split('.')[0]!;

const CASES = KILL_POINTS.filter((point) => !isApart(point)).flatMap((point) =>
  directionsOf(point).map((direction): [KillPoint, Direction] => [point, direction]),
);

function directionsOf(point: KillPoint): Direction[] {
  const only = OF_ONE_DIRECTION[beginningOf(point)];
  return only ? [only] : DIRECTIONS;
}

/** Every marked point once: the process ends right there, while letters of several pairs are under way. */
export function describeKillPoints(network: 'email' | 'fake'): void {
  describe(`a kill, with messages under way over ${network}`, () => {
    const { seed, between } = chance(network);
    let world: FaultWorld;
    beforeAll(async () => {
      world = await FaultWorld.open({ fake: network === 'fake' });
    }, SCENARIO_MS);
    afterAll(() => world?.close());

    it.each(CASES)(
      'at %s, %s: nothing is lost, doubled or left behind',
      async (point, direction) => {
        await reported(`${network} ${direction} killed at ${point}`, seed, async () => {
          const nth = between(1, PER_PAIR);
          await world.revive();
          const letters = await world.traffic[network].write([direction], PER_PAIR);
          await world.service.armKill({ point, nth });
          const handedIn = world.traffic[network].handIn(letters);
          const settled = handedIn.then(() => world.settled());
          settled.catch(() => {}); // whoever waits for it hears of it
          const hit = await Promise.race([world.service.death, settled.then(() => notReached(world, point))]);
          expect(hit).toBe(point);
          await world.countMailsInFlight();
          await world.start();
          await settled;
          expect(await world.violations()).toEqual([]);
          return { nth, letters: letters.length };
        });
      },
      SCENARIO_MS,
    );
  });
}

async function notReached(world: FaultWorld, point: KillPoint): Promise<never> {
  const reached = JSON.stringify(await world.service.reached());
  throw new Error(`No message came by ${point}, see test/faults/support/traffic.ts; these were: ${reached}`);
}
