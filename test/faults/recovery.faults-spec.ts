import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { chance } from './support/chance.js';
import { FaultWorld } from './support/fault-world.js';
import { waiting } from './support/leftovers.js';
import { disturb, mend } from './support/peers.js';
import { reported, SCENARIO_MS } from './support/progress.js';

const IS_LONG = process.env['FAULT_LONG'] !== undefined;
const LETTERS = IS_LONG ? 10_000 : 500;
const RECEIVERS = IS_LONG ? 500 : 80;
const HELD = 60;
const HANDS = 16;
/** Nobody can wait for a lease to run out here. */
const SETTINGS = {
  DM3_GATEWAY_DELIVERY__LEASE_SECONDS: '3600',
  DM3_GATEWAY_DELIVERY__CONCURRENCY: String(HELD),
};
/** For liveness only, on a machine that others use as well. */
const FIRST = { patienceMs: 60_000, pauseMs: 10 };
const LONG_MS = IS_LONG ? 4 * SCENARIO_MS : SCENARIO_MS;

describe(`a worker killed with ${LETTERS} letters waiting`, () => {
  const { seed, between } = chance('recovery');
  let world: FaultWorld;
  beforeAll(async () => {
    world = await FaultWorld.open({ fake: true, env: SETTINGS });
  }, SCENARIO_MS);
  afterAll(() => world?.close());

  it(
    'is made up for by the next one at once, once while all it holds is under way, and once while letters arrive',
    async () => {
      await reported(`killed with ${LETTERS} letters waiting`, seed, async () => {
        const fake = world.peers.find(({ name }) => name === 'fake')!;
        await disturb(fake, 'stall', 0);
        const letters = await world.traffic.fake.writeToMany(LETTERS, RECEIVERS);
        await world.traffic.fake.handIn(letters, HANDS);
        await eventually('as many to be under way as may be', async () => (await leased()) === HELD);
        expect(await waiting(world.db)).toBe(LETTERS);

        await world.service.kill();
        const held = await leased();
        expect([held > HELD / 2, await delivered()]).toEqual([true, 0]);
        await mend(fake);
        const first = await firstAfterStart();
        const some = between(LETTERS / 10, LETTERS / 2);
        await eventually('some of them', async () => (await delivered()) >= some, { patienceMs: SCENARIO_MS });
        await world.service.kill();
        const second = await firstAfterStart();
        await eventually('all of them', async () => (await waiting(world.db)) === 0, { patienceMs: LONG_MS });
        await world.settled();
        expect(await world.violations()).toEqual([]);
        const repeats = world.parcels - LETTERS;
        return {
          letters: LETTERS,
          held,
          'first after ms': `${first} and ${second}`,
          'repeats, known by their ids': repeats,
        };
      });
    },
    LONG_MS,
  );

  /** Milliseconds from the start of the process until it has delivered something. */
  async function firstAfterStart(): Promise<number> {
    const [before, began] = [await delivered(), performance.now()];
    const started = world.start(SETTINGS);
    started.catch(() => {}); // whoever waits for it hears of it
    await eventually('the first letter', async () => (await delivered()) > before, FIRST);
    const took = performance.now() - began;
    await started;
    return Math.round(took);
  }

  async function delivered(): Promise<number> {
    const sql = "SELECT count(*)::int AS count FROM message WHERE state = 'delivered'";
    return (await world.db.query<{ count: number }>(sql))[0]!.count;
  }

  async function leased(): Promise<number> {
    const sql = 'SELECT count(*)::int AS count FROM outbox_lease';
    return (await world.db.query<{ count: number }>(sql))[0]!.count;
  }
});
