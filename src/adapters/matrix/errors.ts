import { GatewayError, type ErrorKind } from '../../common/errors.js';
import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import { cleanLine } from './text.js';

/** The homeserver refused a call, or could not be reached. */
export class HomeserverError extends GatewayError {
  /** 0 where there was no answer. */
  readonly status: number;
  /** `M_FORBIDDEN`; null where the answer was none of Matrix. */
  readonly errcode: string | null;

  constructor(options: { status: number; errcode: string | null; words: string; cause?: unknown }) {
    const { status, errcode, words, cause } = options;
    const retryable = isPassing(status, errcode);
    super({
      code: errcode ?? (status === 0 ? 'HOMESERVER_UNREACHABLE' : 'HOMESERVER_FAILED'),
      kind: retryable ? 'unavailable' : 'forbidden',
      message: retryable
        ? `The homeserver cannot take this at the moment: ${words}`
        : `The homeserver refused: ${words}`,
      retryable,
      outage: status === 0 || (status >= 500 && errcode === null),
      cause,
    });
    this.status = status;
    this.errcode = errcode;
  }
}

/** A homeserver other than ours did not bring what it was asked for: ours is well, and only so much time is given. */
export class OtherServerError extends GatewayError {
  constructor({ what, cause }: { what: string; cause: unknown }) {
    const message = `${what} could not be fetched from the homeserver it is on.`;
    super({ code: 'OTHER_SERVER_UNREACHABLE', kind: 'unavailable', message, retryable: true, cause });
  }
}

/** Whether our homeserver was well and could not reach another one. */
export function isOfAnotherServer(error: unknown): boolean {
  return error instanceof HomeserverError && error.errcode !== null && [502, 504].includes(error.status);
}

/** What an operator mends (tokens, a proxy in between) passes, too: nobody's message is given up for it. */
function isPassing(status: number, errcode: string | null): boolean {
  if (errcode === null || status >= 500 || status === 429 || status === 401) return true;
  return errcode === 'M_EXCLUSIVE' || errcode === 'M_UNRECOGNIZED';
}

/** As the core expects it of an adapter that sends. */
export function toDeliveryError(error: unknown): unknown {
  if (!(error instanceof HomeserverError)) return error;
  const { code, message, retryable, outage, status } = error;
  const certainty = status === 0 ? 'uncertain' : 'certain';
  return new DeliveryFailedError({ code, reason: message, retryable, certainty, outage, cause: error });
}

const DEFAULT_RETRY_SECONDS = 60;

/** Before the start and after the stop. */
export class AdapterStoppedError extends DeliveryFailedError {
  constructor() {
    super({ code: 'ADAPTER_STOPPED', reason: 'The Matrix adapter is not running.', retryable: true });
  }
}

/** More is not taken before some of what the homeserver brought is handled; it keeps the rest for us. */
export class InboxFullError extends GatewayError {
  constructor() {
    super({
      code: 'INBOX_FULL',
      kind: 'limit-exceeded',
      message: 'This gateway takes no events at the moment: too many wait to be handled.',
      retryable: true,
      facts: { retryAfterSeconds: DEFAULT_RETRY_SECONDS },
    });
  }
}

/** A Matrix error as an HTTP answer. */
export interface MatrixReply {
  readonly status: number;
  readonly body: { readonly errcode: string; readonly error: string; readonly retry_after_ms?: number };
  readonly retryAfterSeconds?: number;
}

/** Refusals of requests that the homeserver makes. */
const REFUSALS = {
  MISSING_TOKEN: { kind: 'unauthorized', status: 401, errcode: 'M_MISSING_TOKEN' },
  WRONG_TOKEN: { kind: 'forbidden', status: 403, errcode: 'M_FORBIDDEN' },
  BAD_TRANSACTION: { kind: 'invalid-input', status: 400, errcode: 'M_BAD_JSON' },
  NOT_HERE: { kind: 'not-found', status: 404, errcode: 'M_NOT_FOUND' },
} as const satisfies Record<string, { kind: ErrorKind; status: number; errcode: string }>;

export class AppserviceRefusedError extends GatewayError {
  constructor({ code, reason }: { code: keyof typeof REFUSALS; reason: string }) {
    super({ code, kind: REFUSALS[code].kind, message: reason });
  }
}

/** The one place where errors become answers to the homeserver; it comes again with whatever is not answered by 200. */
export function toMatrixReply(error: unknown): MatrixReply {
  if (!(error instanceof GatewayError)) return reply(500, 'M_UNKNOWN', 'Something went wrong on our side.');
  const refusal = (REFUSALS as Readonly<Record<string, { status: number; errcode: string }>>)[error.code];
  if (refusal) return reply(refusal.status, refusal.errcode, error.message);
  if (error.kind === 'limit-exceeded' && error.retryable) return later(error);
  if (error.kind === 'not-found') return reply(404, 'M_NOT_FOUND', error.message);
  return reply(error.retryable ? 503 : 400, 'M_UNKNOWN', error.message);
}

/** The homeserver keeps what it has for us, and comes again in its own time. */
function later({ message, facts }: GatewayError): MatrixReply {
  const seconds = Number(facts['retryAfterSeconds'] ?? DEFAULT_RETRY_SECONDS);
  const { status, body } = reply(429, 'M_LIMIT_EXCEEDED', message);
  return { status, body: { ...body, retry_after_ms: seconds * 1_000 }, retryAfterSeconds: seconds };
}

function reply(status: number, errcode: string, text: string): MatrixReply {
  return { status, body: { errcode, error: cleanLine(text, 400) } };
}
