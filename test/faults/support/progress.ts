import { writeSync } from 'node:fs';

const STDERR = 2;

/** For liveness only: longer than all that a scenario waits for. */
export const SCENARIO_MS = 300_000;

/** One line a scenario, for whoever watches: Jest's own report comes at the end. */
export async function reported<T extends Facts>(name: string, seed: number, run: () => Promise<T>): Promise<T> {
  const began = Date.now();
  const say = (outcome: string, facts: Facts) => {
    const seconds = ((Date.now() - began) / 1_000).toFixed(1);
    const words = Object.entries(facts).map(([fact, value]) => `${fact} ${value}`);
    writeSync(STDERR, `  ${[`${outcome} ${name}`, ...words, `${seconds} s`, `seed ${seed}`].join(' · ')}\n`);
  };
  try {
    const facts = await run();
    say('ok    ', facts);
    return facts;
  } catch (error) {
    say('FAILED', {});
    throw error;
  }
}

type Facts = Readonly<Record<string, string | number>>;
