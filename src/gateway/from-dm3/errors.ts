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

/** The message is for keys that the ghost has not had for longer than any sender may believe in them. */
export class KeysReplacedError extends GatewayError {
  constructor() {
    const message =
      "The message is encrypted for keys that its receiver has replaced. Look the receiver's profile up again (restarting your dm3 client does that) and send it once more.";
    super({ code: 'KEYS_REPLACED', kind: 'invalid-input', message });
  }
}
