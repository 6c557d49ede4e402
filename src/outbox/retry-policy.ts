/** Exponential back-off: the first delay, times `factor` for each further attempt, up to a ceiling. */
export interface RetryPolicy {
  readonly firstSeconds: number;
  readonly factor: number;
  readonly maxSeconds: number;
  /** 0 to 1: the share of a delay that chance may take off, so that what failed together does not return together. */
  readonly jitter: number;
}

/**
 * Seconds to wait after a failed attempt.
 * @param attempt the one that failed, counted from 1
 * @param random01 evenly spread over [0, 1)
 */
export function nextDelaySeconds(policy: RetryPolicy, attempt: number, random01: number): number {
  const { firstSeconds, factor, maxSeconds, jitter } = policy;
  const delay = Math.min(maxSeconds, firstSeconds * factor ** (attempt - 1));
  return delay * (1 - jitter * random01);
}
