import { GatewayError } from '../../common/errors.js';

/** How long is counted before the count begins anew. */
export type RateWindow = 'minute' | 'hour';

/** Somebody did too much in too short a time. */
export class RateLimitedError extends GatewayError {
  /** @param options.what in the plural: `requests` */
  constructor(options: { what: string; limit: number; per?: RateWindow; retryAfterSeconds: number }) {
    const { what, limit, per = 'minute', retryAfterSeconds } = options;
    super({
      code: 'RATE_LIMITED',
      kind: 'limit-exceeded',
      message: `More than ${limit} ${what} in ${per === 'hour' ? 'an hour' : 'a minute'} are not taken. Try again in ${retryAfterSeconds} seconds.`,
      retryable: true,
      facts: { retryAfterSeconds },
    });
  }
}
