import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 20_000;
const PAUSE_MS = 25;

/** Asks again until the answer is there (not null, undefined or false); the bound is for liveness only. */
export async function eventually<T>(what: string, ask: () => Promise<T | null | undefined | false>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`Waited ${PATIENCE_MS / 1_000} s in vain for ${what}.`);
    await delay(PAUSE_MS);
  }
}
