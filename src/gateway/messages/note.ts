import { errorCode, GatewayError } from '../../common/errors.js';
import type { ClaimedItem } from '../../outbox/item-handler.js';

/** What operators are told of an attempt that failed: named errors speak in sentences, bugs are in the log. */
export function noteOf({ attempt }: ClaimedItem, error: unknown) {
  const answer = error instanceof GatewayError ? error.message : null;
  return { attempt, code: errorCode(error), answer };
}
