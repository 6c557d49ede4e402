import type { FastifyRequest } from 'fastify';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Limits } from '../limits/limits.js';

/** Bounds the calls that anybody may make, by the address they come from. */
@Injectable()
export class ClientLimitGuard implements CanActivate {
  constructor(private readonly limits: Limits) {}

  /** @throws RateLimitedError; StorageUnavailableError */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    await this.limits.request(context.switchToHttp().getRequest<FastifyRequest>().ip);
    return true;
  }
}
