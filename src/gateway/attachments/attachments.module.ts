import { Global, Module } from '@nestjs/common';
import type { Clock } from '../../common/clock.js';
import { fromParts } from '../../config/from-parts.js';
import type { Settings } from '../../config/settings.js';
import { CLOCK, RANDOM, SETTINGS } from '../../config/tokens.js';
import { Metrics } from '../../ops/metrics.js';
import { remembered } from '../../ops/remembered.js';
import { Database } from '../../storage/database.js';
import { RateLimiter } from '../../storage/rate-limits/rate-limiter.js';
import { Sealer } from '../../storage/sealer.js';
import { AttachmentStore } from './attachment.store.js';
import { AttachmentsController, FETCHES } from './attachments.controller.js';
import { Attachments } from './attachments.js';

const COUNTED_FOR_MS = 5_000;

@Global()
@Module({
  controllers: [AttachmentsController],
  providers: [
    { provide: AttachmentStore, inject: [Sealer], useFactory: (sealer: Sealer) => new AttachmentStore(sealer) },
    fromParts(Attachments, {
      random: RANDOM,
      clock: CLOCK,
      store: AttachmentStore,
      settings: [SETTINGS, ({ attachments }: Settings) => attachments],
      publicUrl: [SETTINGS, ({ http }: Settings) => http.publicUrl],
    }),
    {
      provide: FETCHES,
      inject: [SETTINGS, CLOCK, Database, Sealer],
      useFactory: ({ attachments }: Settings, clock: Clock, db: Database, sealer: Sealer) =>
        new RateLimiter({ db, sealer, clock, what: 'requests for files', limit: attachments.requestsPerMinute }),
    },
  ],
  exports: [AttachmentStore, Attachments],
})
export class AttachmentsModule {
  constructor(metrics: Metrics, db: Database, store: AttachmentStore) {
    metrics.observe(
      'attachment_bytes',
      'Large files that are kept behind links, bytes.',
      remembered(() => store.bytesKept(db), COUNTED_FOR_MS),
    );
  }
}
