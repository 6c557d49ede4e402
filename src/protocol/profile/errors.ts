import { GatewayError } from '../../common/errors.js';

/** @param reason names the member that is wrong, never its content. */
interface Malformed {
  readonly reason: string;
  readonly cause?: unknown;
}

/** A user profile or a delivery service profile cannot be read. */
export class MalformedProfileError extends GatewayError {
  constructor({ reason, cause }: Malformed) {
    super({
      code: 'MALFORMED_PROFILE',
      kind: 'invalid-input',
      message: `This is not a dm3 profile (${reason}).`,
      cause,
    });
  }
}

/** A text record holds none of the forms a profile is published in. */
export class MalformedRecordError extends GatewayError {
  constructor({ reason, cause }: Malformed) {
    const message = `The dm3 text record cannot be read (${reason}).`;
    super({ code: 'MALFORMED_RECORD', kind: 'invalid-input', message, cause });
  }
}

/** What a record's link leads to is not what its hash promises. */
export class RecordHashMismatchError extends GatewayError {
  constructor() {
    super({
      code: 'RECORD_HASH_MISMATCH',
      kind: 'invalid-input',
      message: 'The document behind the dm3 text record was changed: it does not match the dm3Hash of its link.',
    });
  }
}

/** What a delivery service says about itself or about an account cannot be read. */
export class MalformedCapabilitiesError extends GatewayError {
  constructor({ reason, cause }: Malformed) {
    const message = `The delivery service's description of itself cannot be read (${reason}).`;
    super({ code: 'MALFORMED_CAPABILITIES', kind: 'invalid-input', message, cause });
  }
}
