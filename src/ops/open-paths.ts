import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Roles } from '../config/roles.js';

/** For whoever watches the process. */
const EVERYWHERE = ['/health', '/metrics'];
/** Where networks bring what they have for us over HTTP: the application services of Matrix. */
const OF_NETWORK: Readonly<Record<string, readonly string[]>> = { matrix: ['/_matrix'] };

/** What a process without the role api answers to. */
export function pathsOf(roles: Roles): string[] {
  const networks = Object.keys(OF_NETWORK).filter((network) => roles.runs(network));
  return [...EVERYWHERE, ...networks.flatMap((network) => OF_NETWORK[network]!)];
}

/** Everything else is not found. */
export function openOnly(app: NestFastifyApplication, paths: readonly string[]): void {
  (app.getHttpAdapter().getInstance() as FastifyInstance).addHook('onRequest', async (request, reply) => {
    if (!paths.some((path) => isBelow(request.url, path))) await refuse(request, reply);
  });
}

function isBelow(url: string, path: string): boolean {
  return url === path || url.startsWith(`${path}/`) || url.startsWith(`${path}?`);
}

/** In the words of the framework. */
function refuse({ method, url }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const message = `Cannot ${method} ${url}`;
  return reply.status(404).send({ message, error: 'Not Found', statusCode: 404 });
}
