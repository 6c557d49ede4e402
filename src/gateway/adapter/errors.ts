import { GatewayError } from '../../common/errors.js';

/** A foreign network refused a message, or could not be reached. */
export class DeliveryFailedError extends GatewayError {
  /** `certain`: nothing was delivered. `uncertain`: the network may have taken it before the connection broke. */
  readonly certainty: 'certain' | 'uncertain';

  /**
   * @param reason a sentence for the sender: who refused, in its own words, and what to do.
   * @param outage the far side is out of reach: whatever else goes to the same destination waits with it.
   */
  constructor(options: {
    code: string;
    reason: string;
    retryable: boolean;
    certainty?: 'certain' | 'uncertain';
    outage?: boolean;
    cause?: unknown;
  }) {
    const { code, reason, retryable, outage, cause } = options;
    super({ code, kind: retryable ? 'unavailable' : 'forbidden', message: reason, retryable, outage, cause });
    this.certainty = options.certainty ?? 'certain';
  }
}

/** The message does not fit into what the receiver takes; `facts.limitBytes` is the receiver's limit. */
export class MessageTooLargeError extends GatewayError {
  constructor({ sizeBytes, limitBytes }: { sizeBytes: number; limitBytes: number }) {
    super({
      code: 'MESSAGE_TOO_LARGE',
      kind: 'too-large',
      message: `The message needs ${sizeBytes} bytes once encrypted, and the receiver's delivery service takes ${limitBytes} bytes at most.`,
      facts: { sizeBytes, limitBytes },
    });
  }
}

/** The receiver is a foreign address behind an alias name: we do not relay between other networks for strangers. */
export class RelayRefusedError extends GatewayError {
  constructor() {
    super({
      code: 'RELAY_REFUSED',
      kind: 'forbidden',
      message:
        'This address stands for somebody outside dm3, and this gateway does not relay between other networks, but for verified senders who are linked with a dm3 name.',
    });
  }
}

/** A message type the network cannot carry at all. */
export class UnsupportedMessageError extends GatewayError {
  constructor({ reason }: { reason: string }) {
    super({ code: 'UNSUPPORTED_MESSAGE', kind: 'unsupported', message: reason });
  }
}
