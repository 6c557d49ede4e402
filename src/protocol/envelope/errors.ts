import { GatewayError } from '../../common/errors.js';

/** @param reason names the member that is wrong, never its content. */
interface Malformed {
  readonly reason: string;
  readonly cause?: unknown;
}

/** What the sender encrypted is not a dm3 message. */
export class MalformedMessageError extends GatewayError {
  constructor({ reason, cause }: Malformed) {
    const message = `This is not a dm3 message (${reason}).`;
    super({ code: 'MALFORMED_MESSAGE', kind: 'invalid-input', message, cause });
  }
}

/** What was submitted is not a dm3 envelope. */
export class MalformedEnvelopeError extends GatewayError {
  constructor({ reason, cause }: Malformed) {
    const message = `This is not a dm3 envelope (${reason}).`;
    super({ code: 'MALFORMED_ENVELOPE', kind: 'invalid-input', message, cause });
  }
}

/** The envelope names an encryption we do not know. */
export class UnsupportedEncryptionSchemeError extends GatewayError {
  constructor({ supported }: { supported: string }) {
    super({
      code: 'UNSUPPORTED_ENCRYPTION_SCHEME',
      kind: 'unsupported',
      message: `The envelope is encrypted in a way this service does not know; it knows ${supported}.`,
      facts: { supported },
    });
  }
}

/** The delivery information opened, and does not say who writes to whom. */
export class MalformedDeliveryInformationError extends GatewayError {
  constructor({ reason, cause }: Malformed) {
    const message = `The delivery information of the envelope cannot be read (${reason}).`;
    super({ code: 'MALFORMED_DELIVERY_INFORMATION', kind: 'invalid-input', message, cause });
  }
}

/** A postmark opened, and is none. */
export class MalformedPostmarkError extends GatewayError {
  constructor({ reason, cause }: Malformed) {
    super({
      code: 'MALFORMED_POSTMARK',
      kind: 'invalid-input',
      message: `This is not a dm3 postmark (${reason}).`,
      cause,
    });
  }
}
