import { Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { fromParts } from '../../config/from-parts.js';
import type { Settings } from '../../config/settings.js';
import { CLOCK, EVENT_LOG, SETTINGS } from '../../config/tokens.js';
import { Database } from '../../storage/database.js';
import { SubmissionService } from '../submission/submission.service.js';
import { TrafficController } from './traffic.controller.js';
import { Traffic } from './traffic.js';

@Module({
  controllers: [TrafficController],
  providers: [
    fromParts(Traffic, {
      db: Database,
      clock: CLOCK,
      metrics: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.metrics],
      log: EVENT_LOG,
    }),
  ],
  exports: [Traffic],
})
export class TrafficModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    private readonly submissions: SubmissionService,
    private readonly traffic: Traffic,
  ) {}

  onApplicationBootstrap(): void {
    this.submissions.onDeposit(({ size }) => this.traffic.count({ messages: 1, bytes: size }));
    this.traffic.start();
  }

  /** When no request is left that could count. */
  async onApplicationShutdown(): Promise<void> {
    await this.traffic.stop();
  }
}
