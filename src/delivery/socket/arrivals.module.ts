import { Global, Module, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { fromParts } from '../../config/from-parts.js';
import { EVENT_LOG } from '../../config/tokens.js';
import { Database } from '../../storage/database.js';
import { Sealer } from '../../storage/sealer.js';
import { SubmissionService } from '../submission/submission.service.js';
import { ArrivalChannel } from './arrival-channel.js';

/** In every process: whoever puts something into a mailbox tells those that have its account's sockets. */
@Global()
@Module({
  providers: [fromParts(ArrivalChannel, { db: Database, sealer: Sealer, log: EVENT_LOG })],
  exports: [ArrivalChannel],
})
export class ArrivalsModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly submissions: SubmissionService,
    private readonly channel: ArrivalChannel,
  ) {}

  onApplicationBootstrap(): void {
    this.submissions.onDeposit((deposit) => this.channel.announce(deposit));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.channel.flushed();
  }
}
