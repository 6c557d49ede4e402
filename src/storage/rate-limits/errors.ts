import { GatewayError } from '../../common/errors.js';

/** Somebody did too much in too short a time. */
export class RateLimitedError extends GatewayError {
  /** @param options.what in the plural: `requests` */
  constructor({ what, limit, retryAfterSeconds }: { what: string; limit: number; retryAfterSeconds: number }) {
    super({
      code: 'RATE_LIMITED',
      kind: 'limit-exceeded',
      message: `More than ${limit} ${what} in a minute are not taken. Try again in ${retryAfterSeconds} seconds.`,
      retryable: true,
      facts: { retryAfterSeconds },
    });
  }
}
