import { GatewayError } from '../common/errors.js';

/** Nobody here takes messages for the receiver: not one of our ghosts, no account, or its profile names other services. */
export class ReceiverUnknownError extends GatewayError {
  constructor({ reason }: { reason: string }) {
    super({
      code: 'RECEIVER_UNKNOWN',
      kind: 'not-found',
      message: `This delivery service does not take messages for the receiver: ${reason}.`,
    });
  }
}

/** The envelope was signed by somebody else than the sender it names. */
export class ForgedSenderError extends GatewayError {
  constructor() {
    const message = "The envelope's signature does not match the dm3 profile of the sender it names.";
    super({ code: 'SENDER_FORGED', kind: 'unauthorized', message });
  }
}

/** There is no usable dm3 profile to check the sender against, and this receiver takes only checked senders. */
export class UnverifiedSenderError extends GatewayError {
  constructor({ reason }: { reason: string }) {
    const message = `The sender cannot be verified: ${reason}. Publish a dm3 profile for the sender's name and send again.`;
    super({ code: 'SENDER_UNVERIFIED', kind: 'unauthorized', message });
  }
}

/** Over the size limit of this delivery service. */
export class EnvelopeTooLargeError extends GatewayError {
  constructor({ sizeBytes, limitBytes }: { sizeBytes: number; limitBytes: number }) {
    const message = `The envelope has ${sizeBytes} bytes; this delivery service takes ${limitBytes} at most.`;
    super({ code: 'ENVELOPE_TOO_LARGE', kind: 'too-large', message, facts: { sizeBytes, limitBytes } });
  }
}

/** A profile that cannot be taken into this delivery service. */
export class SignUpRefusedError extends GatewayError {
  constructor({ reason }: { reason: string }) {
    super({ code: 'SIGN_UP_REFUSED', kind: 'forbidden', message: reason });
  }
}

/** A profile that its owner did not sign. Clients read the first words. */
export class ProfileUnsignedError extends GatewayError {
  constructor() {
    super({
      code: 'PROFILE_UNSIGNED',
      kind: 'invalid-input',
      message: 'invalid profile: it is not signed by the owner of the address.',
    });
  }
}

/** The profile is one that its owner has replaced. Anybody who saw it could hand it in again. */
export class ProfileReplacedError extends GatewayError {
  constructor() {
    const message =
      'This profile was replaced by a newer one. To return to it, publish it under the primary name of its address first.';
    super({ code: 'PROFILE_REPLACED', kind: 'forbidden', message });
  }
}

/** A challenge was answered wrongly; `message` is read by clients, some of it is protocol. */
export class LoginFailedError extends GatewayError {
  constructor({ reason }: { reason: string }) {
    super({ code: 'LOGIN_FAILED', kind: 'unauthorized', message: reason });
  }
}

/** The call came without a valid session token of the account it names; clients log in again and repeat it. */
export class SessionRequiredError extends GatewayError {
  constructor() {
    const message = 'Log in first: this call needs a session token for the name in its path.';
    super({ code: 'SESSION_REQUIRED', kind: 'unauthorized', message });
  }
}

/** None of the receiver's delivery services took the envelope. */
export class ForwardingFailedError extends GatewayError {
  constructor(options: { reason: string; retryable: boolean; outage?: boolean; cause?: unknown }) {
    const { reason, retryable, outage, cause } = options;
    super({
      code: retryable ? 'FORWARDING_DELAYED' : 'FORWARDING_REFUSED',
      kind: retryable ? 'unavailable' : 'forbidden',
      message: reason,
      retryable,
      outage,
      cause,
    });
  }
}
