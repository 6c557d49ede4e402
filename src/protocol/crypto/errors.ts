import { GatewayError } from '../../common/errors.js';

/** A payload cannot be opened: damaged, made for another key, or no payload at all. The three look alike on purpose. */
export class DecryptionError extends GatewayError {
  constructor({ cause }: { cause?: unknown } = {}) {
    super({
      code: 'DECRYPTION_FAILED',
      kind: 'invalid-input',
      message: 'The encrypted data is damaged or was not made for this key.',
      cause,
    });
  }
}

/** A public key of somebody else cannot be used: wrong length, or a point that gives no secret. */
export class InvalidKeyError extends GatewayError {
  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super({ code: 'INVALID_KEY', kind: 'invalid-input', message: `A public key cannot be used: ${reason}.`, cause });
  }
}
