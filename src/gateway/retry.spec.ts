import { expect, it } from '@jest/globals';
import { nextDelaySeconds } from '../outbox/retry-policy.js';
import { retryPolicy } from './retry.js';

it.each([
  ['dm3', 5, 3_600],
  ['email', 30, 7_200],
  ['matrix', 2, 300],
])('%s begins after %d s and never waits longer than %d s', (network, first, longest) => {
  const policy = retryPolicy(network, {});
  expect(nextDelaySeconds(policy, 1, 0)).toBe(first);
  expect(nextDelaySeconds(policy, 2, 0)).toBe(first * 2);
  expect(nextDelaySeconds(policy, 40, 0)).toBe(longest);
  expect(nextDelaySeconds(policy, 40, 0.999)).toBeGreaterThan(longest * 0.79);
});

it('does as it is set, network by network', () => {
  const email = { firstSeconds: 1, factor: 3, maxSeconds: 9 };
  expect(retryPolicy('email', { email })).toMatchObject(email);
  expect(retryPolicy('dm3', { email })).toEqual(retryPolicy('dm3', {}));
});
