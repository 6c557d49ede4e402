import { Body, Controller, Get, Header, HttpCode, HttpException, Ip, Options, Param, Post, Res } from '@nestjs/common';
import { z } from 'zod';
import { GatewayError, type ErrorKind } from '../../common/errors.js';
import { clientGroup } from '../../storage/rate-limits/client-group.js';
import { RateLimiter } from '../../storage/rate-limits/rate-limiter.js';
import { CcipReadService } from './ccip-read.service.js';
import { CcipRequestInvalidError } from './errors.js';

/** The part of a Fastify reply that is used here. */
interface Reply {
  header(name: string, value: string | number): unknown;
}

/** A request as it came in, and whose it is. */
interface Lookup {
  readonly ip: string;
  readonly request: unknown;
}

/** Longest call data, hex digits: a name of 255 bytes and a record key of 1 KB fit several times. */
const MAX_DATA_DIGITS = 16_384;

const requestShape = z.object({
  sender: z.string().regex(/^0x[0-9a-f]{40}$/i, 'it is not an Ethereum address'),
  data: z
    .string()
    .max(2 + MAX_DATA_DIGITS)
    .regex(/^0x([0-9a-f]{2})*$/i, 'it is not hex data'),
});

/** ERC-3668 knows 4xx (ask no further) and 5xx (ask the next service). */
const STATUS: Partial<Record<ErrorKind, number>> = {
  forbidden: 403,
  'not-found': 404,
  'limit-exceeded': 429,
  unavailable: 503,
  internal: 500,
};

/** The HTTP face of CCIP-read (ERC-3668), asked by browsers too. */
@Controller('ccip')
export class CcipReadController {
  constructor(
    private readonly service: CcipReadService,
    private readonly limiter: RateLimiter,
  ) {}

  // A wildcard, since Fastify cuts named parameters at 100 characters.
  @Get(':sender/*')
  lookUp(
    @Ip() ip: string,
    @Param('sender') sender: string,
    @Param('*') data: string,
    @Res({ passthrough: true }) reply: Reply,
  ) {
    return this.#answer({ ip, request: { sender, data: data.replace(/\.json$/, '') } }, reply);
  }

  // Templates without a place for the data may still have one for the sender, which the body repeats.
  @Post(['', ':sender'])
  @HttpCode(200)
  ask(@Ip() ip: string, @Body() body: unknown, @Res({ passthrough: true }) reply: Reply) {
    return this.#answer({ ip, request: body }, reply);
  }

  @Options(['', ':sender', ':sender/*'])
  @HttpCode(204)
  @Header('access-control-allow-origin', '*')
  @Header('access-control-allow-methods', 'GET, POST')
  @Header('access-control-allow-headers', 'content-type')
  preflight(): void {}

  async #answer({ ip, request }: Lookup, reply: Reply): Promise<{ data: string }> {
    reply.header('access-control-allow-origin', '*');
    try {
      await this.limiter.take(clientGroup(ip));
      const { sender, data } = parseRequest(request);
      const answer = await this.service.answer(sender, data);
      reply.header('cache-control', `public, max-age=${answer.maxAgeSeconds}`);
      return { data: answer.data };
    } catch (error) {
      reply.header('cache-control', 'no-store');
      throw asHttpError(error, reply);
    }
  }
}

function parseRequest(request: unknown): z.infer<typeof requestShape> {
  const parsed = requestShape.safeParse(request);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CcipRequestInvalidError({
    reason: `${issue!.path.join('.') || 'body'}: ${issue!.message}`,
    cause: parsed.error,
  });
}

function asHttpError(error: unknown, reply: Reply): unknown {
  if (!(error instanceof GatewayError)) return error;
  const { retryAfterSeconds } = error.facts;
  if (typeof retryAfterSeconds === 'number') reply.header('retry-after', retryAfterSeconds);
  return new HttpException({ message: error.message }, STATUS[error.kind] ?? 400, { cause: error });
}
