import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { nextDelaySeconds, type RetryPolicy } from './retry-policy.js';

describe('nextDelaySeconds', () => {
  const policy: RetryPolicy = { firstSeconds: 30, factor: 2, maxSeconds: 3_600, jitter: 0.2 };

  it('doubles from the first delay up to the ceiling', () => {
    const delays = [1, 2, 3, 7, 8, 9, 5_000].map((attempt) => nextDelaySeconds(policy, attempt, 0));
    expect(delays).toEqual([30, 60, 120, 1_920, 3_600, 3_600, 3_600]);
  });

  it('lets chance shorten a delay by the jitter at most', () => {
    expect(nextDelaySeconds(policy, 2, 0.5)).toBeCloseTo(54);
    expect(nextDelaySeconds({ ...policy, jitter: 0 }, 2, 0.5)).toBe(60);
  });

  it('stays between the shortened first delay and the ceiling', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, random) => {
          const delay = nextDelaySeconds(policy, attempt, random);
          expect(delay).toBeGreaterThanOrEqual(30 * 0.8);
          expect(delay).toBeLessThanOrEqual(3_600);
        },
      ),
    );
  });
});
