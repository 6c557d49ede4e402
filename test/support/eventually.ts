import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 45_000;
const PAUSE_MS = 25;

/** Asks again until the answer is there (not null, undefined or false); the bound is for liveness only. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null | undefined | false>,
  { patienceMs = PATIENCE_MS, pauseMs = PAUSE_MS } = {},
): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`Waited ${patienceMs / 1_000} s in vain for ${what}.`);
    await delay(pauseMs);
  }
}
