import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { chance } from '../support/chance.js';
import { FaultWorld } from '../support/fault-world.js';
import { waiting } from '../support/leftovers.js';
import { disturb, mend } from '../support/peers.js';
import { reported, SCENARIO_MS } from '../support/progress.js';
import type { ServiceProcess } from '../support/service-process.js';

const PER_PAIR = 12;
const HOUR_MS = 3_600_000;
/** Fewer each than pairs with the same destination: both have some of them. */
const FEW = { DM3_GATEWAY_DELIVERY__CONCURRENCY: '3' };

describe('two workers at one queue', () => {
  const { seed, between } = chance('workers');
  let world: FaultWorld;
  let other: ServiceProcess;
  beforeAll(async () => {
    world = await FaultWorld.open({ fake: true });
    await world.handIn(await world.write(1)); // from here on nobody has to ask what dora's service takes
    await world.settled();
    await world.service.kill();
    await world.start(FEW);
    other = await world.startAnother(FEW);
  }, SCENARIO_MS);
  afterEach(() => other?.signal('SIGCONT'));
  afterAll(() => world?.close());

  const claims = async (service: ServiceProcess) => (await service.reached())['outbox.claimed'] ?? 0;
  const lostLeases = () => other.log.filter(({ code }) => code === 'LEASE_LOST').length;

  it(
    'race for the same pairs, and each letter goes once and in its order',
    async () => {
      await reported('two workers race', seed, async () => {
        const letters = await world.write(PER_PAIR);
        await world.handIn(letters);
        await world.settled();
        const [first, second] = [await claims(world.service), await claims(other)];
        expect(Math.min(first, second)).toBeGreaterThan(0);
        expect(await world.violations()).toEqual([]);
        return { letters: letters.length, claims: `${first} and ${second}` };
      });
    },
    SCENARIO_MS,
  );

  it(
    'do so while their clocks are an hour apart and jump: leases go by the clock of the database',
    async () => {
      await reported('clocks jump', seed, async () => {
        const letters = await world.write(PER_PAIR);
        const handedIn = world.handIn(letters);
        const shifts = [HOUR_MS, 0, -between(1, 60) * 1_000];
        for (const shift of shifts) {
          await other.shiftClock(shift);
          const arrived = (await world.arrived()).size;
          await eventually('letters to arrive', async () => (await world.arrived()).size >= arrived + 10);
        }
        await world.service.shiftClock(between(1, 60) * 1_000);
        await handedIn;
        await world.settled();
        expect(await world.violations()).toEqual([]);
        return { letters: letters.length, 'shifted by seconds': shifts.map((ms) => ms / 1_000).join(', ') };
      });
    },
    SCENARIO_MS,
  );

  it(
    'and one freezes past its lease and thaws: it settles nothing that the other took over',
    async () => {
      await reported('a worker freezes', seed, async () => {
        const service = world.peers.find(({ name }) => name === 'service')!;
        const lost = lostLeases();
        await disturb(service, 'stall', 0);
        const pieces = service.link.disturbed;
        const letters = await world.write(2, ['to-dm3']);
        await world.handIn(letters);
        const held = letters.filter(({ needs }) => needs.includes('service'));
        const [toDora, pairs] = [held.length, new Set(held.map(({ pair }) => pair)).size];
        await eventually('each to be in the middle of one of these', async () => {
          const isAsked = service.link.disturbed >= pieces + pairs;
          return isAsked && (await waiting(world.db)) === toDora && (await leased()) === pairs;
        });
        other.signal('SIGSTOP');
        await mend(service);
        await world.settled(); // by the one that is awake, after the other's leases ran out
        other.signal('SIGCONT');
        await eventually('the thawed one to find its lease lost', async () => lostLeases() > lost);
        expect(await world.violations()).toEqual([]);
        return { letters: letters.length, 'leases lost': lostLeases() - lost };
      });
    },
    SCENARIO_MS,
  );

  async function leased(): Promise<number> {
    const sql = 'SELECT count(*)::int AS count FROM outbox_lease WHERE until > now()';
    return (await world.db.query<{ count: number }>(sql))[0]!.count;
  }
});
