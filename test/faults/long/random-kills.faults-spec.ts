import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chance } from '../support/chance.js';
import { FaultWorld } from '../support/fault-world.js';
import { reported, SCENARIO_MS } from '../support/progress.js';

const ROUNDS = 10;
const KILLS_A_ROUND = 5;
const PER_PAIR = 10;
const MOST_MS = 1_500;
const MOST_POINTS = 60;

/** A hundred kills in all: half of them at a point that chance draws, half at a moment that it draws. */
describe.each(['email', 'fake'] as const)(`random kills under load over %s`, (network) => {
  const { seed, between } = chance(`random ${network}`);
  let world: FaultWorld;
  beforeAll(async () => {
    world = await FaultWorld.open({ fake: network === 'fake' });
  }, SCENARIO_MS);
  afterAll(() => world?.close());

  it.each(Array.from({ length: ROUNDS }, (_, index) => index + 1))(
    `round %i of ${ROUNDS}, ${KILLS_A_ROUND} kills`,
    async (round) => {
      await reported(`${network} random kills, round ${round}`, seed, async () => {
        await world.revive();
        const letters = await world.write(PER_PAIR);
        const settled = world.handIn(letters).then(() => world.settled());
        settled.catch(() => {}); // whoever waits for it hears of it
        const places: string[] = [];
        for (let kill = 0; kill < KILLS_A_ROUND; kill += 1) {
          places.push(await (between(0, 1) ? killAtPoint(settled) : killAtMoment()));
          await world.countMailsInFlight();
          await world.start();
        }
        await settled;
        expect(await world.violations()).toEqual([]);
        return { letters: letters.length, kills: places.length, at: places.join(', ') };
      });
    },
    SCENARIO_MS,
  );

  /** @returns where it died; it outlives its work if that passes fewer points than were drawn */
  async function killAtPoint(settled: Promise<void>): Promise<string> {
    const { service } = world;
    await service.armKill({ point: '*', nth: between(1, MOST_POINTS) });
    await Promise.race([service.death, settled]);
    await service.kill();
    return (await service.death) ?? 'rest';
  }

  async function killAtMoment(): Promise<string> {
    await delay(between(0, MOST_MS)); // chance's moment, not a state to wait for
    await world.service.kill();
    return 'a moment';
  }
});
