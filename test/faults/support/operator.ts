import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ask } from '../../support/http-answer.js';
import { startOperator, type Ending } from '../../support/program.js';
import type { FaultWorld } from './fault-world.js';
import { here } from './service-process.js';

export type Verb = 'retry' | 'discard';

/** Somebody at the desk of a world's service, who knows what is done only from what he is answered. */
export class FaultOperator {
  private constructor(
    private readonly world: FaultWorld,
    private readonly token: string,
  ) {}

  static async at(world: FaultWorld): Promise<FaultOperator> {
    const { ending } = await command(world, ['token', 'add', '--scope', 'act']);
    return new FaultOperator(world, ending.stdout.trim());
  }

  /** At the admin port. @returns the answer's status; null if the connection broke off */
  async ask(verb: Verb, id: string): Promise<number | null> {
    const { adminUrl } = this.world.desk;
    const [method, place] = verb === 'retry' ? ['POST', `${id}/retry`] : ['DELETE', id];
    const answer = ask(`${adminUrl}/dead-letters/${place}`, { method, token: this.token });
    return answer.then(
      ({ status }) => status,
      () => null,
    );
  }

  /** On the command line. @param dieAt a kill point, at which the command ends @returns where it died */
  async command(verb: Verb, id: string, dieAt?: string): Promise<{ ending: Ending; hit: string | null }> {
    return command(this.world, ['queue', verb, id], dieAt);
  }
}

async function command({ desk }: FaultWorld, args: readonly string[], dieAt?: string) {
  const hitFile = path.join(desk.home, 'hit-operator');
  rmSync(hitFile, { force: true });
  const kill = dieAt ? { point: dieAt, nth: 1 } : null;
  const env = {
    ...desk.env,
    NODE_OPTIONS: `--import=${here('preload.mjs')}`,
    FAULT_PLAN: JSON.stringify({ hitFile, zone: {}, kill }),
  };
  const ending = await startOperator([...args, '--config', desk.configFile], { env }).ended;
  return { ending, hit: existsSync(hitFile) ? readFileSync(hitFile, 'utf8') : null };
}
