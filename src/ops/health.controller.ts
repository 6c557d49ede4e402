import type { FastifyReply } from 'fastify';
import { Controller, Get, Res, ServiceUnavailableException } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, HealthIndicatorService, type HealthCheckResult } from '@nestjs/terminus';
import { Probes, type Probe } from './probes.js';
import { Shutdown } from './shutdown.js';

const PROBE_MS = 5_000;

@ApiTags('operation')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly probes: Probes,
    private readonly shutdown: Shutdown,
  ) {}

  /** The process runs. Restart it when this fails. */
  @Get('live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** Everything it depends on answers, and it is not about to stop. Send it no traffic while this fails. */
  @Get('ready')
  @HealthCheck()
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<HealthCheckResult> {
    if (this.shutdown.begun) return leaving(reply);
    try {
      return await this.health.check(this.probes.all().map((probe) => () => this.#indicate(probe)));
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      // The report is the answer here, and nothing for the filters that turn errors into sentences.
      reply.status(error.getStatus());
      return error.getResponse() as HealthCheckResult;
    }
  }

  async #indicate(probe: Probe) {
    const session = this.indicators.check(probe.name);
    const late = new Promise<{ up: boolean; detail: string }>((resolve) => {
      setTimeout(() => resolve({ up: false, detail: 'no answer in time' }), PROBE_MS).unref();
    });
    const failed = () => ({ up: false, detail: 'failed' });
    const { up, detail } = await Promise.race([probe.check().catch(failed), late]);
    const shown: { detail?: string } = detail === undefined ? {} : { detail };
    return up ? session.up(shown) : session.down(shown);
  }
}

/** Nothing is asked: the parts may be on their way out, too. */
function leaving(reply: FastifyReply): HealthCheckResult {
  reply.status(503);
  return { status: 'shutting_down', details: {} };
}
