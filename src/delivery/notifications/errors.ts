import { GatewayError } from '../../common/errors.js';

/** An account must switch notifications on before it sets up channels. Clients know this text. */
export class NotificationsOffError extends GatewayError {
  constructor() {
    super({ code: 'NOTIFICATIONS_OFF', kind: 'invalid-input', message: 'Global notifications is off' });
  }
}

export class ChannelNotOfferedError extends GatewayError {
  constructor({ type }: { type: string }) {
    const message = `Notification channel ${type} is not offered by this delivery service.`;
    super({ code: 'CHANNEL_NOT_OFFERED', kind: 'unsupported', message });
  }
}

/** The account has no channel of that type, or not one to which this could be done. */
export class ChannelStateError extends GatewayError {
  /** @param options.state the rest of a sentence: "is not configured" */
  constructor({ type, state }: { type: string; state: string }) {
    const message = `${type} notification channel ${state}.`;
    super({ code: 'CHANNEL_STATE', kind: 'invalid-input', message });
  }
}

/** What a client calls the recipient is none. */
export class RecipientInvalidError extends GatewayError {
  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super({ code: 'RECIPIENT_INVALID', kind: 'invalid-input', message: reason, cause });
  }
}

/** The recipient will not come back: its push service has no such subscription any more. */
export class RecipientGoneError extends GatewayError {
  constructor() {
    const message = 'The recipient of these notifications does not exist any more.';
    super({ code: 'RECIPIENT_GONE', kind: 'not-found', message });
  }
}

/** The push service did not take a notification. */
export class PushRefusedError extends GatewayError {
  constructor({ status, retryable }: { status: number; retryable: boolean }) {
    super({
      code: retryable ? 'PUSH_DELAYED' : 'PUSH_REFUSED',
      kind: retryable ? 'unavailable' : 'forbidden',
      message: `The push service did not take the notification: it answered ${status}.`,
      retryable,
    });
  }
}

/** The one-time password does not prove the recipient; the text is shown to the one who typed it. */
export class CodeRefusedError extends GatewayError {
  constructor({ reason }: { reason: string }) {
    super({ code: 'OTP_REFUSED', kind: 'invalid-input', message: reason });
  }
}

/** So many codes have gone to this account or address that the next has to wait. */
export class CodeTooSoonError extends GatewayError {
  constructor({ retryAfterSeconds }: { retryAfterSeconds: number }) {
    super({
      code: 'OTP_TOO_SOON',
      kind: 'limit-exceeded',
      message: `New OTP can be generated in ${retryAfterSeconds} seconds.`,
      retryable: true,
      facts: { retryAfterSeconds },
    });
  }
}

/** A code was made, and did not get to its recipient. */
export class CodeNotSentError extends GatewayError {
  constructor({ retryable, cause }: { retryable: boolean; cause: unknown }) {
    const advice = retryable ? 'Ask for another one in a minute.' : 'Check the address.';
    super({
      code: 'OTP_NOT_SENT',
      kind: retryable ? 'unavailable' : 'invalid-input',
      message: `The OTP could not be sent there. ${advice}`,
      retryable,
      cause,
    });
  }
}
