import type { RetryPolicy } from '../outbox/retry-policy.js';

type Setting = Omit<RetryPolicy, 'jitter'>;

/** A mail server that greylists wants minutes; a delivery service or homeserver that restarts is back in seconds. */
const DEFAULTS: Readonly<Record<string, Setting>> = {
  dm3: { firstSeconds: 5, factor: 2, maxSeconds: 3_600 },
  matrix: { firstSeconds: 2, factor: 2, maxSeconds: 300 },
  email: { firstSeconds: 30, factor: 2, maxSeconds: 7_200 },
};
const OTHERS: Setting = { firstSeconds: 10, factor: 2, maxSeconds: 3_600 };
const JITTER = 0.2;

export function retryPolicy(network: string, settings: Readonly<Record<string, Setting>>): RetryPolicy {
  return { ...(settings[network] ?? DEFAULTS[network] ?? OTHERS), jitter: JITTER };
}
