import type { FastifyReply, FastifyRequest } from 'fastify';
import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { GatewayError } from '../../common/errors.js';
import type { EventLog } from '../../ops/event-log.js';
import { RPC_ERROR, rpcError } from '../../protocol/json-rpc/json-rpc.js';
import { answerRest, rpcFailure } from './errors.js';

const WRONG_METHOD = rpcError(null, RPC_ERROR.invalidRequest, 'Send a POST with a JSON-RPC request.');

class BodyTooLargeError extends GatewayError {
  constructor() {
    super({
      code: 'BODY_TOO_LARGE',
      kind: 'too-large',
      message: 'The request is larger than this delivery service takes.',
    });
  }
}

/**
 * What fails before a controller sees it: a body that is not JSON or too large, another method. JSON-RPC callers get a
 * JSON-RPC error all the same.
 */
@Catch()
export class UnreadableBodyFilter implements ExceptionFilter {
  constructor(private readonly log: EventLog) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (!request.url.startsWith('/ds/rpc')) return answerRest(error, reply, this.log);
    if (request.method !== 'POST') return void reply.header('allow', 'POST').status(405).send(WRONG_METHOD);
    const { status, body } = rpcAnswer(error);
    void reply.status(status).send(body);
  }
}

function rpcAnswer(error: unknown): { status: number; body: object } {
  const status = statusOf(error);
  if (status === 413) return rpcFailure(new BodyTooLargeError(), null);
  if (status === 400 || status === 415) {
    return { status: 400, body: rpcError(null, RPC_ERROR.parseError, 'The body is not JSON.') };
  }
  if (status === 404) return { status, body: rpcError(null, RPC_ERROR.invalidRequest, 'JSON-RPC is at /ds/rpc.') };
  return rpcFailure(error, null);
}

function statusOf(error: unknown): number | undefined {
  const { status, statusCode, getStatus } = (error ?? {}) as {
    status?: number;
    statusCode?: number;
    getStatus?: unknown;
  };
  return typeof getStatus === 'function' ? (error as { getStatus(): number }).getStatus() : (statusCode ?? status);
}
