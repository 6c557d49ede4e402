import { GatewayError } from '../common/errors.js';

/** The lease of a queue item ran out and somebody else has it now, or it is settled: what was to be written is not. */
export class LeaseLostError extends GatewayError {
  constructor() {
    const message = 'This queue item is no longer held by the worker that began it; whoever holds it now goes on.';
    super({ code: 'LEASE_LOST', kind: 'unavailable', message, retryable: true });
  }
}

/** An item of a kind that this process has no handler for: an older or differently configured process took it. */
export class UnknownKindError extends GatewayError {
  constructor({ kind }: { kind: string }) {
    const message = `No handler is registered for queue items of kind "${kind}"; they wait until there is one.`;
    super({ code: 'UNKNOWN_KIND', kind: 'internal', message, retryable: true });
  }
}

/** The item's time is over, and it was not its turn: what goes to its destination waits for one that gets through. */
export class NeverTriedError extends GatewayError {
  constructor() {
    const message = 'Its destination was out of reach, or held back by the operator of this gateway, all the time.';
    super({ code: 'EXPIRED', kind: 'unavailable', message, retryable: true });
  }
}
