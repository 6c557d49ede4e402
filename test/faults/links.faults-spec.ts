import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { chance } from './support/chance.js';
import { FaultWorld } from './support/fault-world.js';
import { isTriedAgain } from './support/leftovers.js';
import type { Letter } from './support/letters.js';
import { disturb, faultsOf, mend, PEERS, type Fault, type Peer } from './support/peers.js';
import { reported, SCENARIO_MS } from './support/progress.js';

const CASES = PEERS.flatMap((peer) => faultsOf(peer).map((fault): [string, Fault] => [peer.name, fault]));
/** Everything goes by them: while one is away, nothing can be taken. */
const NEEDED_BY_ALL = ['postgres', 'chain'];
/** In these a mail may be taken whose end we do not hear of, or cannot write down. */
const BREAKS_OFF: readonly Fault[] = ['refuse', 'stall', 'cut'];
/** Longer than a test should: what is felt of its silence is that something was said to it. */
const IS_PATIENTLY_WAITED_FOR = ['service'];
const SOME_PIECES = 3;
/** Generous: what leaks shows in megabytes a fault. */
const HEAP_MARGIN_BYTES = 40_000_000;

describe('a peer that fails while messages are under way in all directions', () => {
  const { seed, between } = chance('links');
  let world: FaultWorld;
  let heapAtStart: number;
  beforeAll(async () => {
    world = await FaultWorld.open({ fake: true });
    await world.handIn(await world.write(1));
    await world.settled();
    heapAtStart = (await world.service.memory()).heapUsed;
  }, SCENARIO_MS);
  afterAll(() => world?.close());

  it.each(CASES)(
    '%s, %s: others go on, and all arrives when it is mended',
    async (name, fault) => {
      await reported(`${name}, ${fault}`, seed, async () => {
        const peer = world.peers.find((each) => each.name === name)!;
        const [letters, refused] = [await world.write(1), world.refusals];
        const before = await world.mails();
        const isFelt = sensor(peer, fault);
        await disturb(peer, fault, between(1, 400));
        const handedIn = world.handIn(letters);
        await eventually('the fault to be felt', isFelt);
        if (!NEEDED_BY_ALL.includes(name)) await bystandersArrive(peer, letters);
        const mayRepeat = BREAKS_OFF.includes(fault) && ['mail', 'postgres'].includes(name);
        if (mayRepeat) world.mailsInFlight += (await world.mails()).taken - before.settled;
        await mend(peer);
        await handedIn;
        await world.settled();
        expect(await world.violations()).toEqual([]);
        return { letters: letters.length, refused: world.refusals - refused };
      });
    },
    SCENARIO_MS,
  );

  it('the process is the same as before, and so is its memory', async () => {
    expect(world.service.isAlive).toBe(true);
    const { heapUsed } = await world.service.memory();
    expect(heapUsed).toBeLessThan(heapAtStart + HEAP_MARGIN_BYTES);
  });

  /** Tells whether somebody has met the fault since it was made. */
  function sensor(peer: Peer, fault: Fault): () => Promise<boolean> {
    const [pieces, refused, complained] = [peer.link.disturbed, world.refusals, world.service.complaints];
    if (fault === 'slow') return async () => peer.link.disturbed > pieces + SOME_PIECES;
    return async () => {
      const isHeldUp = peer.link.disturbed > pieces;
      if (fault === 'cut') return isHeldUp;
      if (fault === 'stall' && IS_PATIENTLY_WAITED_FOR.includes(peer.name)) return isHeldUp;
      if (peer.name === 'postgres') return world.refusals > refused;
      if (peer.name === 'chain') return world.refusals > refused || world.service.complaints > complained;
      return isTriedAgain(world.db);
    };
  }

  async function bystandersArrive(peer: Peer, letters: readonly Letter[]): Promise<void> {
    const others = letters.filter(({ arrives, needs }) => arrives && !needs.includes(peer.name));
    await eventually('what does not need it to arrive', async () => {
      const arrived = await world.arrived();
      return others.every(({ text }) => arrived.has(text));
    });
  }
});
