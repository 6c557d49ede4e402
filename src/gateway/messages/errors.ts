import { GatewayError } from '../../common/errors.js';

/** A message was to be moved from a state that it is not in: somebody else has moved it, or it is gone. */
export class IllegalTransitionError extends GatewayError {
  constructor({ transition }: { transition: string }) {
    const message = `The message is in no state from which the transition "${transition}" begins.`;
    super({ code: 'ILLEGAL_TRANSITION', kind: 'internal', message });
  }
}
