import type { FastifyRequest } from 'fastify';
import {
  ForbiddenException,
  Injectable,
  SetMetadata,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Database } from '../../storage/database.js';
import { adminTokenStore, type AdminScope } from './admin-token.store.js';

const SCOPE = 'admin scope';

/** What a call needs: `read` looks, `act` changes. */
export const Needs = (scope: AdminScope) => SetMetadata(SCOPE, scope);

/** Bearer tokens made by the command line, each with its scopes. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(
    private readonly db: Database,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    const token = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1];
    const scopes = token ? await adminTokenStore.scopesOf(this.db, token) : [];
    if (scopes.length === 0) throw new UnauthorizedException('Send "Authorization: Bearer <admin token>".');
    const needed = this.reflector.get<AdminScope>(SCOPE, context.getHandler());
    if (!scopes.includes(needed)) throw new ForbiddenException(`This token may not ${needed}.`);
    return true;
  }
}
