import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWithPeer } from '../../support/describe-with-peer.js';
import { SYNAPSE_PATIENCE_MS } from '../../support/synapse.js';
import { chance } from '../support/chance.js';
import { MatrixCourt } from '../support/matrix-court.js';
import type { MatrixTalk } from '../support/matrix-talk.js';
import { reported, SCENARIO_MS } from '../support/progress.js';
import type { ServiceProcess } from '../support/service-process.js';

const ROUNDS = 5;
const KILLS_A_ROUND = 4;
/** Each way and to each kill: it is there while they are written, and after its start they are still on their way. */
const TEXTS = 5;
const TALKS = 2;
const MOST_MS = 1_500;
const MOST_POINTS = 40;

/** Twenty kills in all: half of them at a point that chance draws, half at a moment that it draws. */
describeWithPeer('synapse', 'random kills under load over matrix', () => {
  const { seed, between } = chance('random matrix');
  let court: MatrixCourt;
  let gateway: ServiceProcess;
  beforeAll(async () => {
    court = await MatrixCourt.open();
    gateway = await start();
  }, SYNAPSE_PATIENCE_MS);
  afterAll(() => court?.close());

  const start = () => court.launch({ port: court.synapse.gatewayPort });

  it.each(Array.from({ length: ROUNDS }, (_, index) => index + 1))(
    `round %i of ${ROUNDS}, ${KILLS_A_ROUND} kills`,
    async (round) => {
      await reported(`matrix random kills, round ${round}`, seed, async () => {
        const names = Array.from({ length: TALKS }, (_, index) => `round${round}-${index}`);
        const talks = await Promise.all(names.map((name) => court.talk(name, () => gateway.url)));
        const places: string[] = [];
        for (let kill = 0; kill < KILLS_A_ROUND; kill += 1) {
          const exchanged = Promise.all(talks.map((talk) => talk.exchange(TEXTS)));
          exchanged.catch(() => {}); // whoever waits for it hears of it
          places.push(await (between(0, 1) ? killAtPoint(exchanged, talks) : killAtMoment()));
          gateway = await start();
          await exchanged;
        }
        for (const talk of talks) await talk.untilHeard();
        expect(await court.leftovers()).toEqual([]);
        for (const talk of talks) {
          expect(await talk.heard()).toEqual(talk.said);
          expect(await talk.invitations()).toBe(0);
        }
        const letters = talks.reduce((sum, talk) => sum + talk.letters, 0);
        return { letters, kills: places.length, at: places.join(', ') };
      });
    },
    SCENARIO_MS,
  );

  /** @returns where it died; it outlives its work if that passes fewer points than were drawn */
  async function killAtPoint(exchanged: Promise<unknown>, talks: readonly MatrixTalk[]): Promise<string> {
    await gateway.armKill({ point: '*', nth: between(1, MOST_POINTS) });
    const heard = exchanged.then(() => Promise.all(talks.map((talk) => talk.untilHeard())));
    heard.catch(() => {}); // where it died, nobody waits for it any more
    await Promise.race([gateway.death, heard]);
    await gateway.kill();
    return (await gateway.death) ?? 'rest';
  }

  async function killAtMoment(): Promise<string> {
    await delay(between(0, MOST_MS)); // chance's moment, not a state to wait for
    await gateway.kill();
    return 'a moment';
  }
});
