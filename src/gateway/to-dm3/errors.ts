import { GatewayError } from '../../common/errors.js';

/** The message means nothing without the one it is about, and the receiver does not have that one. */
export class ReferenceUnknownError extends GatewayError {
  constructor() {
    const message = 'It is about a message that the receiver does not have, or no longer.';
    super({ code: 'REFERENCE_UNKNOWN', kind: 'not-found', message });
  }
}
