import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { REMOTE_KILL_POINTS } from '../../../src/ops/kill-points.js';
import { describeWithPeer } from '../../support/describe-with-peer.js';
import { eventually } from '../../support/eventually.js';
import { FaultLink } from '../../support/fault-link.js';
import { RabbitMq } from '../../support/rabbitmq.js';
import { chance } from '../support/chance.js';
import { FaultWorld } from '../support/fault-world.js';
import { disturb, mend, type Fault } from '../support/peers.js';
import { reported, SCENARIO_MS } from '../support/progress.js';
import type { ServiceProcess } from '../support/service-process.js';

const PER_PAIR = 4;
const TIMES = 3;
const FAULTS: readonly Fault[] = ['refuse', 'stall', 'cut', 'slow'];
const PATIENCE = { patienceMs: 90_000 };

describeWithPeer('rabbitmq-server', 'the fake network in a process of its own, behind RabbitMQ', () => {
  const { seed, between } = chance('broker');
  let rabbit: RabbitMq;
  let link: FaultLink;
  let world: FaultWorld;
  let host: ServiceProcess;
  beforeAll(async () => {
    rabbit = await RabbitMq.start();
    link = await FaultLink.open({ port: rabbit.port });
    world = await FaultWorld.open({ fake: true, env: { ...roles('api,worker,email-in'), ...broker() } });
    host = await startHost();
  }, SCENARIO_MS);
  afterAll(async () => {
    await world?.close();
    await link?.close();
    await rabbit?.remove();
  });

  const roles = (names: string) => ({ FAULT_ROLES: names });
  const broker = () => ({
    DM3_GATEWAY_BROKER: JSON.stringify({
      url: `amqp://guest:guest@${link.host}:${link.port}`,
      networks: ['fake'],
      replyTimeoutSeconds: 3,
    }),
  });
  /** Where the fake network's letters come in, and from where its parcels leave. */
  const startHost = () => world.startAnother({ ...roles('fake'), ...broker() }, { withFakeDoor: true });
  const peer = () => ({ name: 'broker' as const, link });
  const lanesRest = async () => (await world.db.query('SELECT 1 FROM outbox_lane WHERE failures > 0')).length > 0;

  it.each(FAULTS)(
    'broker, %s: all else goes on, and everything arrives once it is mended',
    async (fault) => {
      await reported(`broker, ${fault}`, seed, async () => {
        const [letters, pieces] = [await world.write(PER_PAIR), link.disturbed];
        await disturb(peer(), fault, between(1, 2_000));
        await world.handIn(letters);
        await eventually('it to be felt', async () => link.disturbed > pieces || lanesRest(), PATIENCE);
        const others = letters.filter(({ arrives, needs }) => arrives && !needs.includes('fake'));
        await eventually(
          'what does not need it to arrive',
          async () => {
            const arrived = await world.arrived();
            return others.every(({ text }) => arrived.has(text));
          },
          PATIENCE,
        );
        await mend(peer());
        await world.settled();
        expect(await world.violations()).toEqual([]);
        return { letters: letters.length };
      });
    },
    SCENARIO_MS,
  );

  it(
    `RabbitMQ is killed ${TIMES} times under load`,
    async () => {
      await reported('broker is killed', seed, async () => {
        const letters = await world.write(PER_PAIR * TIMES);
        const handedIn = world.handIn(letters);
        for (let time = 1; time <= TIMES; time += 1) {
          const arrived = (await world.arrived()).size + between(1, 8);
          await eventually('some letters to arrive', async () => (await world.arrived()).size >= arrived, PATIENCE);
          await rabbit.kill();
          await rabbit.resume();
        }
        await handedIn;
        await world.settled();
        expect(await world.violations()).toEqual([]);
        return { letters: letters.length, times: TIMES };
      });
    },
    SCENARIO_MS,
  );

  it.each(REMOTE_KILL_POINTS)(
    'the process with the network dies at %s',
    async (point) => {
      await reported(`fake killed at ${point}`, seed, async () => {
        const letters = await world.write(2, ['from-dm3']);
        const nth = between(1, 3);
        await host.armKill({ point, nth });
        await world.handIn(letters);
        expect(await host.death).toBe(point);
        host = await startHost();
        await world.settled();
        expect(await world.violations()).toEqual([]);
        return { nth, letters: letters.length };
      });
    },
    SCENARIO_MS,
  );
});
