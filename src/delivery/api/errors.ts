import type { FastifyReply } from 'fastify';
import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { GatewayError, errorCode, type ErrorKind } from '../../common/errors.js';
import { EVENT_LOG } from '../../config/tokens.js';
import type { EventLog } from '../../ops/event-log.js';
import { RPC_ERROR, rpcError, type RpcId } from '../../protocol/json-rpc/json-rpc.js';

interface Answer {
  readonly status: number;
  readonly rpcCode: number;
}

/** What each kind of error is called in HTTP and in dm3's JSON-RPC (dm3 delivery service API, error codes). */
const ANSWERS: Readonly<Record<ErrorKind, Answer>> = {
  'invalid-input': { status: 400, rpcCode: RPC_ERROR.invalidParams },
  'not-found': { status: 404, rpcCode: RPC_ERROR.notFound },
  unauthorized: { status: 401, rpcCode: RPC_ERROR.unauthorized },
  forbidden: { status: 403, rpcCode: RPC_ERROR.unauthorized },
  unsupported: { status: 400, rpcCode: RPC_ERROR.notSupported },
  'too-large': { status: 413, rpcCode: RPC_ERROR.tooBig },
  'limit-exceeded': { status: 429, rpcCode: RPC_ERROR.limitExceeded },
  spam: { status: 403, rpcCode: RPC_ERROR.spam },
  unavailable: { status: 503, rpcCode: RPC_ERROR.unavailable },
  internal: { status: 500, rpcCode: RPC_ERROR.internalError },
};

/** Where JSON-RPC 2.0 itself has a code, or the reference service or HTTP a status. */
const EXCEPTIONS: Readonly<Record<string, Answer>> = {
  INVALID_RPC_REQUEST: { status: 400, rpcCode: RPC_ERROR.invalidRequest },
  LOGIN_FAILED: { status: 400, rpcCode: RPC_ERROR.unauthorized },
  TOO_LATE_TO_RECALL: { status: 409, rpcCode: RPC_ERROR.notSupported },
  OTP_TOO_SOON: { status: 400, rpcCode: RPC_ERROR.limitExceeded },
  METHOD_UNKNOWN: { status: 405, rpcCode: RPC_ERROR.methodNotFound },
};

const answerTo = (error: GatewayError): Answer => EXCEPTIONS[error.code] ?? ANSWERS[error.kind];

const UNEXPECTED = 'Something went wrong on our side; the operator has been told. Try again later.';

/** A bug, not a refusal: the one who asked learns nothing of it, and the log everything. */
export function isUnexpected(error: unknown): boolean {
  return !(error instanceof GatewayError);
}

/** What the one who asked may read. */
export function publicText(error: unknown): string {
  return error instanceof GatewayError ? error.message : UNEXPECTED;
}

/** Seconds after which the same call may succeed, for the header of that name (RFC 9110 §10.2.3); null if unknown. */
export function retryAfter(error: unknown): number | null {
  const seconds = error instanceof GatewayError ? error.facts['retryAfterSeconds'] : undefined;
  return typeof seconds === 'number' ? seconds : null;
}

/** JSON-RPC answer for an error: never 2xx, since clients judge by the status alone. */
export function rpcFailure(error: unknown, id: RpcId): { status: number; body: object } {
  if (!(error instanceof GatewayError)) return { status: 500, body: rpcError(id, RPC_ERROR.internalError, UNEXPECTED) };
  const { status, rpcCode } = answerTo(error);
  return { status, body: rpcError(id, rpcCode, error.message, { code: error.code, ...error.facts }) };
}

/** REST answer: `error` and `message` both, since clients read the one or the other. */
function restFailure(error: unknown): { status: number; body: object } {
  if (error instanceof HttpException) {
    return { status: error.getStatus(), body: { error: error.message, message: error.message } };
  }
  if (!(error instanceof GatewayError)) return { status: 500, body: { error: UNEXPECTED, message: UNEXPECTED } };
  const { message, code } = error;
  return { status: answerTo(error).status, body: { error: message, message, code } };
}

/** The one place where errors of the REST calls become answers. */
@Catch()
export class RestErrorFilter implements ExceptionFilter {
  constructor(@Inject(EVENT_LOG) private readonly log: EventLog) {}

  catch(error: unknown, host: ArgumentsHost): void {
    answerRest(error, host.switchToHttp().getResponse<FastifyReply>(), this.log);
  }
}

export function answerRest(error: unknown, reply: FastifyReply, log: EventLog): void {
  const { status, body } = restFailure(error);
  if (status >= 500) log.error('http.failed', { code: errorCode(error), status }, error);
  const seconds = retryAfter(error);
  if (seconds !== null) void reply.header('retry-after', seconds);
  void reply.status(status).send(body);
}
