import { GatewayError } from '../../common/errors.js';

/** A client of the receiver has had the message. */
export class TooLateToRecallError extends GatewayError {
  constructor({ state }: { state: 'pushed' | 'acknowledged' }) {
    const what = state === 'pushed' ? "was handed to the receiver's client" : 'was acknowledged by the receiver';
    super({
      code: 'TOO_LATE_TO_RECALL',
      kind: 'forbidden',
      message: `It is too late to recall the message: it ${what}.`,
      facts: { state },
    });
  }
}

/** There is no message of this hash from the one who asks to that receiver, or it was forgotten since. */
export class SentMessageUnknownError extends GatewayError {
  constructor() {
    const message = 'No message of this hash from you waits for the receiver, and none is remembered.';
    super({ code: 'SENT_MESSAGE_UNKNOWN', kind: 'not-found', message });
  }
}
