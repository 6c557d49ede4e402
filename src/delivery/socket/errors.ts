import { GatewayError } from '../../common/errors.js';

/** A socket's handshake does not say whose it is. */
export class MalformedHandshakeError extends GatewayError {
  constructor({ cause }: { cause: unknown }) {
    super({
      code: 'MALFORMED_HANDSHAKE',
      kind: 'invalid-input',
      message: 'The handshake must carry auth: {account: {ensName}, token}.',
      cause,
    });
  }
}

/** One account may not hold any number of connections. */
export class TooManySocketsError extends GatewayError {
  constructor({ limit }: { limit: number }) {
    const message = `This account has ${limit} sockets open already; close some of them.`;
    super({ code: 'TOO_MANY_SOCKETS', kind: 'limit-exceeded', message, facts: { limit } });
  }
}

/** A socket submits faster than its envelopes can be taken. */
export class TooManySubmissionsError extends GatewayError {
  constructor({ limit }: { limit: number }) {
    const message = `${limit} envelopes of this socket are waiting already; send this one again when they are answered.`;
    super({ code: 'TOO_MANY_SUBMISSIONS', kind: 'limit-exceeded', message, retryable: true, facts: { limit } });
  }
}
