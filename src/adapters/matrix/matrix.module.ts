import { Global, Module, type DynamicModule } from '@nestjs/common';
import type { Clock } from '../../common/clock.js';
import { byNetwork, DELAY_NOTICE_SECONDS, type Settings } from '../../config/settings.js';
import { CLOCK, EVENT_LOG, SETTINGS } from '../../config/tokens.js';
import type { EventLog } from '../../ops/event-log.js';
import { Database } from '../../storage/database.js';
import { Sealer } from '../../storage/sealer.js';
import { MatrixAdapter } from './adapter.js';
import { AppserviceController } from './appservice.controller.js';
import type { MatrixConfig } from './config.js';
import { MATRIX } from './network.js';
import { readRegistration } from './registration.js';

/** The adapter, and the door through which the homeserver brings events. */
@Global()
@Module({})
export class MatrixModule {
  /** @throws ConfigError if the registration cannot be used */
  static forRoot(config: MatrixConfig): DynamicModule {
    const registration = readRegistration(config.registrationFile);
    const provider = {
      provide: MatrixAdapter,
      inject: [Database, Sealer, CLOCK, EVENT_LOG, SETTINGS],
      useFactory: (
        db: Database,
        sealer: Sealer,
        clock: Clock,
        log: EventLog,
        { delivery: { leaseSeconds, deadLetterDays, backPressure, delayNoticeSeconds: delay } }: Settings,
      ) => {
        const { maxWaiting } = backPressure;
        const notice = byNetwork(delay, DELAY_NOTICE_SECONDS);
        const delayNoticeSeconds = notice.byNetwork[MATRIX] ?? notice.others;
        const times = { leaseSeconds, deadLetterDays, delayNoticeSeconds };
        return new MatrixAdapter({ config, registration, db, sealer, clock, log, ...times, maxWaiting });
      },
    };
    return {
      module: MatrixModule,
      controllers: [AppserviceController],
      providers: [provider],
      exports: [MatrixAdapter],
    };
  }
}
