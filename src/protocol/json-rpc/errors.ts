import { GatewayError } from '../../common/errors.js';

/** A body is not a JSON-RPC request. */
export class InvalidRpcRequestError extends GatewayError {
  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    const message = `This is not a JSON-RPC request (${reason}).`;
    super({ code: 'INVALID_RPC_REQUEST', kind: 'invalid-input', message, cause });
  }
}
