import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { chance } from '../support/chance.js';
import { FaultWorld } from '../support/fault-world.js';
import { OwnPostgres } from '../support/own-postgres.js';
import { reported, SCENARIO_MS } from '../support/progress.js';

const PER_PAIR = 6;
const TIMES = 3;

describe('a PostgreSQL that ends under load', () => {
  const { seed, between } = chance('database');
  let postgres: OwnPostgres;
  let world: FaultWorld;
  beforeAll(async () => {
    postgres = await OwnPostgres.start();
    world = await FaultWorld.open({ fake: true, postgres: postgres.connection });
  }, SCENARIO_MS);
  afterAll(async () => {
    await world?.close();
    await postgres?.stop();
  });

  const END: readonly (readonly [string, () => Promise<void>])[] = [
    ['is restarted', () => postgres.restart()],
    [
      'is killed',
      async () => {
        const { complaints } = world.service;
        await postgres.kill();
        await eventually('it to be missed', async () => world.service.complaints > complaints);
        await postgres.recover();
      },
    ],
  ];

  it.each(END)(
    `%s ${TIMES} times: the service stays, and nothing is lost`,
    async (what, end) => {
      await reported(`PostgreSQL ${what}`, seed, async () => {
        const letters = await world.write(PER_PAIR);
        const before = await world.mails();
        const handedIn = world.handIn(letters);
        for (let time = 1; time <= TIMES; time += 1) {
          const arrived = (await world.arrived()).size + between(1, 8);
          await eventually('some letters to arrive', async () => (await world.arrived()).size >= arrived);
          await end();
        }
        await handedIn;
        await world.settled();
        world.mailsInFlight += (await world.mails()).taken - before.settled;
        expect(world.service.isAlive).toBe(true);
        expect(await world.violations()).toEqual([]);
        return { letters: letters.length, times: TIMES, refused: world.refusals };
      });
    },
    SCENARIO_MS,
  );
});
