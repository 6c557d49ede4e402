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

/** The receiver has not fetched what came before. */
export class MailboxFullError extends GatewayError {
  constructor({ quota: { messages, bytes } }: { quota: { readonly messages: number; readonly bytes: number } }) {
    super({
      code: 'MAILBOX_FULL',
      kind: 'limit-exceeded',
      message: `The receiver's mailbox is full: it holds ${messages} messages and ${bytes} bytes. Try again later.`,
      retryable: true,
    });
  }
}
