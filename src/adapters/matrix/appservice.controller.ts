import { timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Body, Controller, Get, Inject, Param, Post, Put, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { GatewayError } from '../../common/errors.js';
import type { EventLog } from '../../ops/event-log.js';
import { EVENT_LOG } from '../../config/tokens.js';
import { MatrixAdapter } from './adapter.js';
import { AppserviceRefusedError, toMatrixReply } from './errors.js';
import { MATRIX } from './network.js';

/** What the homeserver calls (Matrix: application service API). Nobody else has the token. */
@ApiExcludeController()
@Controller('_matrix/app/v1')
export class AppserviceController {
  constructor(
    @Inject(MatrixAdapter) private readonly adapter: MatrixAdapter,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {}

  /** The id is not looked at: homeservers begin to count anew, events they do not. */
  @Put('transactions/:txnId')
  async transaction(@Req() request: FastifyRequest, @Body() body: unknown, @Res() reply: FastifyReply): Promise<void> {
    await this.#answer(request, reply, () => this.adapter.take(body));
  }

  @Post('ping')
  async ping(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.#answer(request, reply, async () => undefined);
  }

  @Get('users/:userId')
  async user(@Req() request: FastifyRequest, @Param('userId') id: string, @Res() reply: FastifyReply): Promise<void> {
    await this.#answer(request, reply, () => this.adapter.introduce(id));
  }

  @Get('rooms/:alias')
  async room(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.#answer(request, reply, async () => {
      throw new AppserviceRefusedError({ code: 'NOT_HERE', reason: 'This gateway has no rooms of its own.' });
    });
  }

  async #answer(request: FastifyRequest, reply: FastifyReply, work: () => Promise<void>): Promise<void> {
    try {
      checkToken(request, this.adapter.registration.hs_token);
      await work();
      void reply.status(200).send({});
    } catch (error) {
      if (!(error instanceof GatewayError)) this.log.error('matrix.request-failed', { network: MATRIX }, error);
      else if (error.retryable) this.log.warn('matrix.request-put-off', { network: MATRIX, code: error.code });
      const { status, body, retryAfterSeconds } = toMatrixReply(error);
      if (retryAfterSeconds !== undefined) void reply.header('retry-after', String(retryAfterSeconds));
      void reply.status(status).send(body);
    }
  }
}

/** In the header, or in the query as homeservers did before Matrix 1.4. @throws AppserviceRefusedError */
function checkToken({ headers, query }: FastifyRequest, expected: string): void {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  const legacy = (query as Readonly<Record<string, unknown>>)['access_token'];
  const given = bearer ?? (typeof legacy === 'string' ? legacy : undefined);
  if (given === undefined) {
    throw new AppserviceRefusedError({ code: 'MISSING_TOKEN', reason: 'Only the homeserver calls this.' });
  }
  if (!isSame(given, expected)) {
    throw new AppserviceRefusedError({ code: 'WRONG_TOKEN', reason: 'This is not the token of the registration.' });
  }
}

/** Takes the same time whatever the first difference is. */
function isSame(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
