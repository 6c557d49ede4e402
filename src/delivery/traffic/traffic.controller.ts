import type { FastifyReply } from 'fastify';
import { Controller, Get, Inject, Res, UseFilters, UseGuards } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Settings } from '../../config/settings.js';
import { SETTINGS } from '../../config/tokens.js';
import { ClientLimitGuard } from '../api/client-limit.guard.js';
import { RestErrorFilter } from '../api/errors.js';
import { trafficCsv } from './csv.js';
import { Traffic } from './traffic.js';

/** What a delivery service tells everybody about itself over REST. */
@ApiTags('dm3 delivery service')
@UseFilters(RestErrorFilter)
@UseGuards(ClientLimitGuard)
@Controller('ds')
export class TrafficController {
  readonly #intervalSeconds: number;

  constructor(
    private readonly traffic: Traffic,
    @Inject(SETTINGS) { deliveryService }: Settings,
  ) {
    this.#intervalSeconds = deliveryService.metrics.intervalSeconds;
  }

  @Get('hello')
  hello(): string {
    return 'Hello DM3';
  }

  /** CSV, a row for each finished interval; the current one stays hidden, as it would tell who is writing just now. */
  @Get('metrics')
  async metrics(@Res() reply: FastifyReply): Promise<void> {
    const intervals = await this.traffic.finished();
    if (intervals.length === 0) return void (await reply.status(204).send());
    await reply.header('content-type', 'text/csv; charset=utf-8').send(trafficCsv(intervals, this.#intervalSeconds));
  }
}
