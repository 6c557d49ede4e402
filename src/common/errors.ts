/**
 * What an error means to the one who asked. One place per protocol (SMTP, JSON-RPC, HTTP, Matrix) turns a kind into
 * its own answer; nothing else does.
 */
export type ErrorKind =
  | 'invalid-input'
  | 'not-found'
  | 'unauthorized'
  | 'forbidden'
  | 'unsupported'
  | 'too-large'
  | 'limit-exceeded'
  | 'spam'
  | 'unavailable'
  | 'internal';

export interface ErrorOptions {
  /** Stable and machine-readable: `PROFILE_NOT_FOUND`. */
  readonly code: string;
  readonly kind: ErrorKind;
  /** A whole sentence that the person who asked may read: it never quotes message content or secrets. */
  readonly message: string;
  /** True if the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean;
  /** True if whatever else goes to the same destination would fare no better just now. */
  readonly outage?: boolean;
  readonly cause?: unknown;
  /** Facts for the caller, safe to show to the one who asked (a limit, a method name). Never logged. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** Base of every error the gateway throws on purpose. Anything else that is thrown is a bug and is answered as such. */
export class GatewayError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly outage: boolean;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor({ code, kind, message, retryable = false, outage = false, cause, facts = {} }: ErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.kind = kind;
    this.retryable = retryable;
    this.outage = outage;
    this.facts = facts;
  }
}

/** True if trying again later may help: named errors say so themselves, a bug (anything else) is given the benefit. */
export function isRetryable(error: unknown): boolean {
  return error instanceof GatewayError ? error.retryable : true;
}

/** True if the destination is out of reach for everybody. */
export function isOutage(error: unknown): boolean {
  return error instanceof GatewayError && error.outage;
}

/** The code of a named error, or `UNEXPECTED`: what logs and state columns keep, since messages may name people. */
export function errorCode(error: unknown): string {
  return error instanceof GatewayError ? error.code : 'UNEXPECTED';
}
