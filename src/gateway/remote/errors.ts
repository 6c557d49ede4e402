import { GatewayError } from '../../common/errors.js';
import { DeliveryFailedError } from '../adapter/errors.js';

/** Nothing was asked: the broker is away. */
export class BrokerUnavailableError extends DeliveryFailedError {
  constructor({ cause }: { cause?: unknown } = {}) {
    const reason = 'The part of this gateway that serves the network cannot be reached at the moment.';
    super({ code: 'BROKER_UNAVAILABLE', reason, retryable: true, certainty: 'certain', outage: true, cause });
  }
}

/** The process that serves the network was asked and did not answer: it may have sent the message, or do so yet. */
export class RemoteSilentError extends DeliveryFailedError {
  constructor({ cause }: { cause?: unknown } = {}) {
    const reason = 'The part of this gateway that serves the network did not answer.';
    super({ code: 'REMOTE_SILENT', reason, retryable: true, certainty: 'uncertain', cause });
  }
}

/** An earlier request for the same message has not ended yet. */
export class SendUnderWayError extends DeliveryFailedError {
  constructor() {
    const reason = 'The message is being handed to the network just now.';
    super({ code: 'SEND_UNDER_WAY', reason, retryable: true, certainty: 'uncertain' });
  }
}

/** A request that was under way for longer than anybody waits; nothing was done about it. */
export class RequestLateError extends DeliveryFailedError {
  constructor() {
    const reason = 'The request came when nobody waited for it any more.';
    super({ code: 'REQUEST_LATE', reason, retryable: true, certainty: 'certain' });
  }
}

/** The other process threw what no one expected; it has the details in its log. */
export class RemoteFaultError extends GatewayError {
  constructor() {
    const message = 'The part of this gateway that serves the network failed.';
    super({ code: 'REMOTE_FAULT', kind: 'internal', message, retryable: true });
  }
}

/** A request that is none: damaged, not ours, or of a version that is not known here yet. Asked again, it may be good. */
export class RequestUnusableError extends GatewayError {
  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    const message = `A request from the broker cannot be used: ${reason}.`;
    super({ code: 'REQUEST_UNUSABLE', kind: 'invalid-input', message, retryable: true, cause });
  }
}
