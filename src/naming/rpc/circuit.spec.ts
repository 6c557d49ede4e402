import { beforeEach, describe, expect, it } from '@jest/globals';
import { Circuit } from './circuit.js';

const TRIAL_MS = 500;

let now: number;
let circuit: Circuit;

beforeEach(() => {
  now = 0;
  circuit = new Circuit({ clock: { now: () => now }, trialMs: TRIAL_MS });
});

/** How long it rests after one more failure. */
function pauseAfterFailure(): number {
  circuit.failed(circuit.begin());
  const begin = now;
  while (circuit.isResting) now += 100;
  return now - begin;
}

describe('Circuit', () => {
  it('rests after a failure, twice as long after the next, a minute at most', () => {
    expect(circuit.isResting).toBe(false);
    const pauses = Array.from({ length: 8 }, pauseAfterFailure);
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('forgets it all after one success', () => {
    pauseAfterFailure();
    circuit.failed(circuit.begin());
    circuit.succeeded();
    expect(circuit.isResting).toBe(false);
    expect(pauseAfterFailure()).toBe(1_000);
  });

  it('counts tries that were under way together once', () => {
    const together = [circuit.begin(), circuit.begin(), circuit.begin()];
    for (const begun of together) circuit.failed(begun);
    now = 1_000;
    expect(circuit.isResting).toBe(false);
  });

  it('lets one try ahead when a pause is over, and the others only when that takes too long', () => {
    pauseAfterFailure();
    circuit.begin();
    expect(circuit.isResting).toBe(true);
    now += TRIAL_MS;
    expect(circuit.isResting).toBe(false);
  });
});
