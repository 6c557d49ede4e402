import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { errorCode, GatewayError, type ErrorKind } from '../../common/errors.js';
import { EVENT_LOG } from '../../config/tokens.js';
import { publicText, retryAfter } from '../../delivery/api/errors.js';
import type { EventLog } from '../../ops/event-log.js';
import { PAGE_HEADERS } from './headers.js';
import { noticePage } from './page-files.js';

interface Notice {
  readonly status: number;
  readonly title: string;
}

const BY_CODE: Readonly<Record<string, Notice>> = {
  ATTACHMENT_EXPIRED: { status: 410, title: 'This file is no longer here' },
  ATTACHMENT_NOT_FOUND: { status: 404, title: 'No file here' },
};
const BY_KIND: Partial<Record<ErrorKind, Notice>> = {
  'limit-exceeded': { status: 429, title: 'Too many requests' },
  unavailable: { status: 503, title: 'Not available just now' },
};
const FAILURE: Notice = { status: 500, title: 'Something went wrong' };

/** People who follow a link get a page in words; the page's own script goes by the status. */
@Catch()
export class AttachmentErrorFilter implements ExceptionFilter {
  constructor(@Inject(EVENT_LOG) private readonly log: EventLog) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (error instanceof HttpException) return void reply.status(error.getStatus()).send(error.getResponse());
    const { status, title } = noticeFor(error);
    if (status >= 500) this.log.error('http.failed', { code: errorCode(error), status }, error);
    const seconds = retryAfter(error);
    if (seconds !== null) void reply.header('retry-after', seconds);
    const headers = { ...PAGE_HEADERS, 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' };
    void reply
      .status(status)
      .headers(headers)
      .send(noticePage(title, publicText(error)));
  }
}

function noticeFor(error: unknown): Notice {
  if (!(error instanceof GatewayError)) return FAILURE;
  return BY_CODE[error.code] ?? BY_KIND[error.kind] ?? FAILURE;
}
