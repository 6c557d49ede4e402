import { GatewayError } from '../../common/errors.js';

/** The request is not a `resolve(bytes,bytes)` call about one name. */
export class CcipRequestInvalidError extends GatewayError {
  /** @param options.reason the rest of a sentence: "its data are not a resolve(bytes,bytes) call". */
  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super({
      code: 'CCIP_REQUEST_INVALID',
      kind: 'invalid-input',
      message: `The CCIP-read request cannot be answered: ${reason}.`,
      cause,
    });
  }
}

/** We sign answers for our own resolver contracts only: a signature for another one could be used against it. */
export class CcipSenderRefusedError extends GatewayError {
  constructor({ sender }: { sender: string }) {
    super({
      code: 'CCIP_SENDER_REFUSED',
      kind: 'forbidden',
      message: `This service does not answer for the resolver contract ${sender}.`,
    });
  }
}
