import { GatewayError } from '../../common/errors.js';

/** The envelope was fine, what is inside is not: it does not open, or says something else than its envelope. */
export class MessageUnusableError extends GatewayError {
  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super({
      code: 'MESSAGE_UNUSABLE',
      kind: 'invalid-input',
      message: `The message cannot be passed on: ${reason}.`,
      cause,
    });
  }
}
