import type { FastifyReply } from 'fastify';
import { Body, Controller, Inject, Ip, Post, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { errorCode, GatewayError } from '../../common/errors.js';
import { EVENT_LOG } from '../../config/tokens.js';
import type { EventLog } from '../../ops/event-log.js';
import {
  batchOf,
  parseRpcRequest,
  rpcIdOf,
  rpcResult,
  type RpcId,
  type RpcRequest,
} from '../../protocol/json-rpc/json-rpc.js';
import { Limits } from '../limits/limits.js';
import { DeliveryServiceInfo } from '../properties.js';
import { SubmissionService } from '../submission/submission.service.js';
import { retryAfter, rpcFailure } from './errors.js';

/** No such method here; JSON-RPC 2.0 has a code of its own for it. */
class MethodUnknownError extends GatewayError {
  constructor() {
    super({ code: 'METHOD_UNKNOWN', kind: 'unsupported', message: 'This delivery service has no such method.' });
  }
}

interface Answer {
  readonly status: number;
  readonly body: object;
  /** Seconds; null or absent if there is nothing to wait for. */
  readonly retryAfter?: number | null;
}

type Method = (params: readonly unknown[]) => Promise<unknown> | unknown;

/** dm3 message transport: `POST /ds/rpc`. */
@ApiTags('dm3 delivery service')
@Controller('ds/rpc')
export class RpcController {
  readonly #methods: ReadonlyMap<string, Method>;

  constructor(
    submissions: SubmissionService,
    info: DeliveryServiceInfo,
    private readonly limits: Limits,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {
    this.#methods = new Map<string, Method>([
      ['dm3_submitMessage', async ([envelope]) => (await submissions.submit(envelope)) && 'OK'],
      ['dm3_getDeliveryServiceProperties', () => info.properties()],
      ['dm3_getProfileExtension', ([name]) => info.profileExtension(name)],
    ]);
  }

  @Post()
  async handle(@Body() body: unknown, @Ip() ip: string, @Res() reply: FastifyReply): Promise<void> {
    const { status, body: answer, retryAfter: seconds } = await this.#answer(body, ip);
    if (seconds) void reply.header('retry-after', seconds);
    await reply.status(status).send(answer);
  }

  async #answer(body: unknown, ip: string): Promise<Answer> {
    try {
      const batch = batchOf(body);
      await this.limits.rpcCalls(ip, batch?.length ?? 1);
      return batch ? await this.#answerBatch(batch) : await this.#answerRequest(body);
    } catch (error) {
      return this.#failure(error, rpcIdOf(body));
    }
  }

  /** In order. Its status is that of the first failure, since clients judge by the status alone. */
  async #answerBatch(requests: readonly unknown[]): Promise<Answer> {
    const answers: Answer[] = [];
    for (const request of requests) answers.push(await this.#answerRequest(request));
    const { status, retryAfter: seconds } = answers.find((answer) => answer.status !== 200) ?? { status: 200 };
    return { status, body: answers.map(({ body }) => body), retryAfter: seconds };
  }

  /** Also one without an id: dm3 clients send none, and wait for the answer. */
  async #answerRequest(body: unknown): Promise<Answer> {
    const id = rpcIdOf(body);
    try {
      const request = parseRpcRequest(body);
      return { status: 200, body: rpcResult(id, await this.#call(request)) };
    } catch (error) {
      return this.#failure(error, id);
    }
  }

  #failure(error: unknown, id: RpcId): Answer {
    const failure = rpcFailure(error, id);
    if (failure.status >= 500) this.log.error('rpc.failed', { code: errorCode(error), status: failure.status }, error);
    return { ...failure, retryAfter: retryAfter(error) };
  }

  #call({ method, params }: RpcRequest): Promise<unknown> | unknown {
    const handler = this.#methods.get(method);
    if (!handler) throw new MethodUnknownError();
    return handler(params);
  }
}
