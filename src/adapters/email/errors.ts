import { GatewayError, type ErrorKind } from '../../common/errors.js';
import { cleanLine } from './text.js';

/** Reply code of SMTP and enhanced status code (RFC 3463). */
type Reply = readonly [responseCode: number, status: string];

/** Refusals that only mail knows. */
const REFUSALS = {
  RELAY_DENIED: { kind: 'forbidden', reply: [550, '5.7.1'] },
  BAD_ADDRESS: { kind: 'invalid-input', reply: [550, '5.1.3'] },
  NO_MAILBOX: { kind: 'not-found', reply: [550, '5.1.1'] },
  NOT_A_BOUNCE: { kind: 'forbidden', reply: [550, '5.7.1'] },
  NULL_SENDER: { kind: 'forbidden', reply: [550, '5.7.1'] },
  TOO_MANY_UNKNOWN: { kind: 'limit-exceeded', reply: [421, '4.7.0'] },
  MALFORMED_MAIL: { kind: 'invalid-input', reply: [550, '5.6.0'] },
  HEADER_TOO_LARGE: { kind: 'too-large', reply: [552, '5.3.4'] },
  MAIL_TOO_LARGE: { kind: 'too-large', reply: [552, '5.3.4'] },
  NO_ROOM: { kind: 'limit-exceeded', reply: [452, '4.3.1'] },
  CONNECTION_LOST: { kind: 'unavailable', reply: [451, '4.4.2'] },
  MAIL_LOOP: { kind: 'forbidden', reply: [554, '5.4.6'] },
} as const satisfies Record<string, { kind: ErrorKind; reply: Reply }>;

/** Errors of the core whose reply says more than their kind does. */
const CORE_REPLIES: Readonly<Record<string, Reply>> = {
  NAME_NOT_FOUND: [550, '5.1.1'],
  PROFILE_NOT_FOUND: [550, '5.1.1'],
  PROFILE_INVALID: [550, '5.1.1'],
  RELAY_REFUSED: [550, '5.7.1'],
  MESSAGE_TOO_LARGE: [552, '5.3.4'],
  EXPIRED: [451, '4.4.7'],
  OVERLOADED: [452, '4.3.1'],
};

const KIND_REPLIES: Readonly<Record<ErrorKind, Reply>> = {
  'invalid-input': [550, '5.6.0'],
  'not-found': [550, '5.1.1'],
  unauthorized: [550, '5.7.1'],
  forbidden: [550, '5.7.1'],
  unsupported: [550, '5.6.1'],
  'too-large': [552, '5.3.4'],
  'limit-exceeded': [451, '4.7.1'],
  spam: [550, '5.7.1'],
  unavailable: [451, '4.4.3'],
  internal: [451, '4.3.0'],
};

export class MailRefusedError extends GatewayError {
  /** @param reason a whole sentence for the sending side, with what to do where there is something */
  constructor({ code, reason, cause }: { code: keyof typeof REFUSALS; reason: string; cause?: unknown }) {
    super({ code, kind: REFUSALS[code].kind, message: reason, cause });
  }
}

/** An SMTP reply in the shape smtp-server takes; the text begins with the enhanced status code. */
export class SmtpReply extends Error {
  readonly responseCode: number;

  constructor([responseCode, status]: Reply, text: string) {
    // RFC 5321 §4.5.3.1.5: a reply line has 512 octets at most.
    super(`${status} ${cleanLine(text, 400)}`);
    this.responseCode = responseCode;
  }
}

/** The one place where errors become SMTP replies; anything that is not a named error is our own fault: try later. */
export function toSmtpReply(error: unknown): SmtpReply {
  if (!(error instanceof GatewayError)) {
    return new SmtpReply([451, '4.3.0'], 'Something went wrong on our side; please try again later.');
  }
  return new SmtpReply(replyFor(error.code, error.kind, error.retryable), error.message);
}

/** The status of a delivery report (RFC 3464) about a permanent failure: always of class 5. */
export function failureStatus(code: string): string {
  const [, status] = CORE_REPLIES[code] ?? [550, '5.0.0'];
  return status.replace(/^4/, '5');
}

function replyFor(code: string, kind: ErrorKind, retryable: boolean): Reply {
  if (code in REFUSALS) return REFUSALS[code as keyof typeof REFUSALS].reply;
  const reply = CORE_REPLIES[code] ?? KIND_REPLIES[kind];
  return retryable && reply[0] >= 500 ? KIND_REPLIES.internal : reply;
}
