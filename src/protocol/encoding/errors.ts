import { GatewayError } from '../../common/errors.js';

export type TextEncoding = 'base64' | 'hex' | 'UTF-8' | 'JSON';

/** Text or bytes are not what their place demands. The text itself is never quoted: it may be a key or content. */
export class MalformedEncodingError extends GatewayError {
  constructor({ encoding, cause }: { encoding: TextEncoding; cause?: unknown }) {
    super({
      code: `MALFORMED_${encoding.replace('-', '').toUpperCase()}`,
      kind: 'invalid-input',
      message: `A value was expected to be valid ${encoding}, and is not.`,
      cause,
    });
  }
}

/** A value cannot be written as JSON: objects nested beyond what the stack holds. */
export class UnserialisableError extends GatewayError {
  constructor({ cause }: { cause: unknown }) {
    super({
      code: 'UNSERIALISABLE',
      kind: 'invalid-input',
      message: 'The JSON is nested too deeply to be processed.',
      cause,
    });
  }
}
