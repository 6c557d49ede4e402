import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { KillPoint } from '../../src/ops/kill-points.js';
import { chance } from './support/chance.js';
import { FaultWorld } from './support/fault-world.js';
import { pointsOf } from './support/kill-point-suite.js';
import { FaultOperator, type Verb } from './support/operator.js';
import { reported, SCENARIO_MS } from './support/progress.js';

const DOORS = ['at the admin port', 'on the command line'] as const;
type Door = (typeof DOORS)[number];
const CASES = pointsOf('operator').flatMap((point) => DOORS.map((door): [KillPoint, Door] => [point, door]));

describe('a kill while an operator looks after a dead letter', () => {
  const { seed } = chance('operator');
  let world: FaultWorld;
  let operator: FaultOperator;
  beforeAll(async () => {
    world = await FaultWorld.open({ fake: false });
    operator = await FaultOperator.at(world);
  }, SCENARIO_MS);
  afterEach(() => void (world.mail.everybodyExists = false));
  afterAll(() => world?.close());

  it.each(CASES)(
    'at %s, %s: he asks again, and it is done once',
    async (point, door) => {
      await reported(`operator killed at ${point}, ${door}`, seed, async () => {
        const verb: Verb = point.includes('retr') ? 'retry' : 'discard';
        await world.revive();
        const letters = await world.write(1, ['from-dm3']);
        const [dead, others] = [letters.filter(({ arrives }) => !arrives), letters.filter(({ arrives }) => arrives)];
        await world.handIn(dead);
        await world.settled();
        const id = await onlyDeadLetter();
        world.mail.everybodyExists = true;
        if (verb === 'retry') for (const letter of dead) world.fates.set(letter.id, { arrivals: 1, notices: 1 });
        const handedIn = world.handIn(others);
        await (door === 'at the admin port' ? killService(point, verb, id) : killCommand(point, verb, id));
        await handedIn;
        await world.settled();
        expect(await world.violations()).toEqual([]);
        expect(await fateOf(id)).toEqual(
          verb === 'retry' ? ['delivered', 'failed', 'retried'] : ['discarded', 'failed', 'discarded'],
        );
        expect(await world.db.query('SELECT FROM outbox_dead')).toEqual([]);
        return { letters: letters.length };
      });
    },
    SCENARIO_MS,
  );

  /** The service dies with his question unanswered. */
  async function killService(point: KillPoint, verb: Verb, id: string): Promise<void> {
    await world.service.armKill({ point, nth: 1 });
    expect(await operator.ask(verb, id)).toBeNull();
    expect(await world.service.death).toBe(point);
    await world.countMailsInFlight();
    await world.start();
    expect(await operator.ask(verb, id)).toBe(isCommitted(point) ? 404 : 204);
  }

  /** His command dies; the service goes on. */
  async function killCommand(point: KillPoint, verb: Verb, id: string): Promise<void> {
    expect((await operator.command(verb, id, point)).hit).toBe(point);
    const { ending, hit } = await operator.command(verb, id);
    expect([hit, ending.code === 0]).toEqual([null, !isCommitted(point)]);
  }

  async function onlyDeadLetter(): Promise<string> {
    const rows = await world.db.query<{ ref: string }>('SELECT ref FROM outbox_dead');
    expect(rows).toHaveLength(1);
    return rows[0]!.ref;
  }

  /** Its state, and what its history says of its end. */
  async function fateOf(id: string): Promise<string[]> {
    const sql = `SELECT state, array(SELECT event::text FROM message_event
      WHERE message_id = $1 AND event <> 'attempt-failed' ORDER BY at) AS events FROM message WHERE id = $1`;
    const [message] = await world.db.query<{ state: string; events: string[] }>(sql, [id]);
    return [message!.state, ...message!.events];
  }
});

const isCommitted = (point: KillPoint) => point.endsWith('ed');
