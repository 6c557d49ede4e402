import { Readable } from 'node:stream';
import { Controller, Get, Inject, Injectable, Param, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../common/clock.js';
import { CLOCK } from '../../config/tokens.js';
import { Database } from '../../storage/database.js';
import { clientGroup } from '../../storage/rate-limits/client-group.js';
import { RateLimiter } from '../../storage/rate-limits/rate-limiter.js';
import { AttachmentErrorFilter } from './attachment-error.filter.js';
import { AttachmentStore, type StoredFile } from './attachment.store.js';
import { Attachments } from './attachments.js';
import { FILE_HEADERS, PAGE_HEADERS } from './headers.js';
import { LINK_PATH } from './link.js';
import { openPage, PAGE_PARTS, type PageFile } from './page-files.js';
import { parseRange } from './range.js';
import { servedBytes } from './served-bytes.js';

export const FETCHES = Symbol('requests for large files');
/** What is behind a link never changes. */
const ETAG = '"sealed-1"';
const MOST_CACHED_SECONDS = 3_600;

/** Bounds how fast one client can go through links, or have the database read files. */
@Injectable()
class FetchLimitGuard implements CanActivate {
  constructor(@Inject(FETCHES) private readonly limiter: RateLimiter) {}

  /** @throws RateLimitedError; StorageUnavailableError */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    await this.limiter.take(clientGroup(context.switchToHttp().getRequest<FastifyRequest>().ip));
    return true;
  }
}

/**
 * Files behind links (docs/attachments.md): a page that opens them in the browser, and their ciphertext. Links that
 * were made stay good when no new ones are.
 */
@ApiExcludeController()
@UseFilters(AttachmentErrorFilter)
@UseGuards(FetchLimitGuard)
@Controller(LINK_PATH)
export class AttachmentsController {
  constructor(
    private readonly db: Database,
    private readonly store: AttachmentStore,
    private readonly attachments: Attachments,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Also what the page loads: ids have no dots. */
  @Get(':name')
  async page(@Param('name') name: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const part = PAGE_PARTS.get(name);
    if (!part) await this.attachments.find(this.db, name);
    answerPage(request, reply, part ?? openPage);
  }

  /** The ciphertext, or a range of it. */
  @Get(':id/data')
  async data(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const file = await this.attachments.find(this.db, id);
    const { size } = file;
    void reply.headers({ ...FILE_HEADERS, etag: ETAG, 'cache-control': this.#caching(file) });
    if (matches(request.headers['if-none-match'])) return void reply.status(304).send();
    const range = isFresh(request) ? parseRange(request.headers.range, size) : null;
    if (range === 'unsatisfiable') {
      return void reply.status(416).header('content-range', `bytes */${size}`).send('There are not so many bytes.\n');
    }
    if (range) void reply.status(206).header('content-range', `bytes ${range.from}-${range.to}/${size}`);
    const { from, to } = range ?? { from: 0, to: size - 1 };
    void reply.header('content-length', to - from + 1);
    void reply.send(
      request.method === 'HEAD' ? Readable.from([]) : servedBytes(this.store, this.db, file, { from, to }),
    );
  }

  /** Not in caches that others use, and no longer than the link is good. */
  #caching({ expiresAt }: StoredFile): string {
    const leftSeconds = Math.floor((expiresAt.getTime() - this.clock.now()) / 1_000);
    return `private, max-age=${Math.max(0, Math.min(MOST_CACHED_SECONDS, leftSeconds))}`;
  }
}

function answerPage({ headers }: FastifyRequest, reply: FastifyReply, { body, type, etag }: PageFile): void {
  void reply.headers({ ...PAGE_HEADERS, 'content-type': type, etag, 'cache-control': 'no-cache' });
  if (matches(headers['if-none-match'], etag)) return void reply.status(304).send();
  void reply.send(body);
}

function matches(header: string | undefined, etag = ETAG): boolean {
  return (header ?? '').split(',').some((each) => each.trim().replace(/^W\//, '') === etag || each.trim() === '*');
}

/** RFC 9110 §13.1.5: a range of what the client has a part of, else all of it. */
function isFresh({ headers }: FastifyRequest): boolean {
  const condition = headers['if-range'];
  return condition === undefined || condition === ETAG;
}
