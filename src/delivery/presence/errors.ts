import { GatewayError } from '../../common/errors.js';

/** One socket may not watch any number of accounts. */
export class TooManyWatchedError extends GatewayError {
  constructor({ limit }: { limit: number }) {
    const message = `This socket watches ${limit} accounts already; let go of some of them.`;
    super({ code: 'TOO_MANY_WATCHED', kind: 'limit-exceeded', message, facts: { limit } });
  }
}

/** A call to watch somebody does not say whom. */
export class NobodyToWatchError extends GatewayError {
  constructor() {
    super({ code: 'NOBODY_TO_WATCH', kind: 'invalid-input', message: 'Say whom to watch: {ensName}.' });
  }
}
