import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { KillPoint } from '../../../src/ops/kill-points.js';
import { freePort } from '../../../src/sandbox/ports.js';
import { describeWithPeer } from '../../support/describe-with-peer.js';
import { eventually } from '../../support/eventually.js';
import { SYNAPSE_PATIENCE_MS } from '../../support/synapse.js';
import { chance } from '../support/chance.js';
import { MatrixCourt } from '../support/matrix-court.js';
import type { MatrixTalk } from '../support/matrix-talk.js';
import { reported, SCENARIO_MS } from '../support/progress.js';
import type { ServiceProcess } from '../support/service-process.js';
import { Spread } from '../support/spread.js';

const TEXTS = 8;
const OF_MATRIX: readonly KillPoint[] = ['matrix.accepted', 'matrix.handled', 'receive.committed'];
const OF_WORKER: readonly KillPoint[] = ['outbox.claimed', 'from-dm3.sent', 'to-dm3.forwarded'];

/** One homeserver, two processes behind one port that take what it brings, one that bob hands in at, one that sends. */
describeWithPeer('synapse', 'two processes for Matrix, with the worker apart from them', () => {
  const { seed, between } = chance('matrix roles');
  let ports: [number, number];
  let entrance: Spread;
  let court: MatrixCourt;
  let api: ServiceProcess;
  let worker: ServiceProcess;
  let first: ServiceProcess;
  let second: ServiceProcess;
  beforeAll(async () => {
    ports = [await freePort(), await freePort()];
    entrance = await Spread.open(ports);
    court = await MatrixCourt.open(entrance.port);
    api = await court.launch({ roles: ['api'] });
    first = await launchFirst();
    second = await court.launch({ port: ports[1], roles: ['matrix'] });
    worker = await court.launch({ roles: ['worker'] });
  }, SYNAPSE_PATIENCE_MS);
  afterAll(async () => {
    await court?.close();
    await entrance?.close();
  });

  const launchFirst = () => court.launch({ port: ports[0], roles: ['matrix'] });
  const talk = (name: string) => court.talk(name.replace('.', '-'), () => api.url);
  const arrivesOnce = async (said: MatrixTalk) => {
    await said.untilHeard();
    expect(await court.leftovers()).toEqual([]);
    expect(await said.heard()).toEqual(said.said);
    expect(await said.invitations()).toBe(0);
  };
  /** The other process may be quicker at some of them. */
  const exchangeUntilDead = async (said: MatrixTalk, process: ServiceProcess) => {
    await said.exchange(TEXTS);
    await eventually('it to be killed', async () => {
      if (!process.isAlive) return true;
      await said.exchange(1);
      return false;
    });
  };

  it(
    'share what the homeserver brings, and all arrives once and in order',
    async () => {
      await reported('matrix roles apart', seed, async () => {
        const said = await talk('shared');
        await said.exchange(TEXTS);
        await arrivesOnce(said);
        const answered = [...entrance.answered.values()];
        expect(Math.min(...answered)).toBeGreaterThan(1);
        return { letters: said.letters, answered: answered.join(' and ') };
      });
    },
    SCENARIO_MS,
  );

  it.each(OF_MATRIX)(
    'go on when one of them is killed at %s',
    async (point) => {
      await reported(`matrix roles apart, killed at ${point}`, seed, async () => {
        const said = await talk(point);
        const nth = between(1, 2);
        await first.armKill({ point, nth });
        await exchangeUntilDead(said, first);
        expect(await first.death).toBe(point);
        await said.exchange(TEXTS); // with the other one alone
        await arrivesOnce(said);
        expect(second.isAlive).toBe(true);
        first = await launchFirst();
        await said.exchange(1);
        await arrivesOnce(said);
        return { nth, letters: said.letters };
      });
    },
    SCENARIO_MS,
  );

  it.each(OF_WORKER)(
    'lose and double nothing when the worker is killed at %s',
    async (point) => {
      await reported(`matrix roles apart, worker killed at ${point}`, seed, async () => {
        const said = await talk(point);
        const nth = between(1, TEXTS / 2);
        await worker.armKill({ point, nth });
        await exchangeUntilDead(said, worker);
        expect(await worker.death).toBe(point);
        worker = await court.launch({ roles: ['worker'] });
        await arrivesOnce(said);
        return { nth, letters: said.letters };
      });
    },
    SCENARIO_MS,
  );
});
