import { GatewayError } from '../common/errors.js';

/** The configuration contradicts itself or does not say something that is needed. The message says what to change. */
export class ConfigError extends GatewayError {
  constructor({ message, cause }: { message: string; cause?: unknown }) {
    super({ code: 'CONFIG_INVALID', kind: 'invalid-input', message, cause });
  }
}
