import { Global, Module, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { fromParts } from '../../config/from-parts.js';
import { Roles } from '../../config/roles.js';
import type { Secrets } from '../../config/secrets.js';
import type { Settings } from '../../config/settings.js';
import { CLOCK, EVENT_LOG, SECRETS, SETTINGS } from '../../config/tokens.js';
import { Database } from '../../storage/database.js';
import { Sealer } from '../../storage/sealer.js';
import { MailboxStore } from '../mailbox/mailbox.store.js';
import { ArrivalChannel } from '../socket/arrival-channel.js';
import { ArrivalsModule } from '../socket/arrivals.module.js';
import { SubmissionService } from '../submission/submission.service.js';
import { TrafficModule } from '../traffic/traffic.module.js';
import { Traffic } from '../traffic/traffic.js';
import { ArrivalsElsewhere } from './arrivals-elsewhere.js';
import { OfferedChannels } from './channel.js';
import { NotificationChannelStore } from './channel.store.js';
import { MailChannel } from './mail-channel.js';
import { NOTIFICATION_MAILER, type NotificationMailer } from './mailer.js';
import { NotificationSettings } from './notification-settings.js';
import { NotificationsController } from './notifications.controller.js';
import { Notifier } from './notifier.js';
import { OneTimeCodes } from './one-time-codes.js';
import { PushChannel } from './push-channel.js';
import { vapidKeys } from './vapid.js';

/** Those that are switched on, and mail only where a network carries it. */
function offeredChannels(
  { notifications, http, ens }: Settings,
  { rootSecret }: Secrets,
  mailer: NotificationMailer | null,
): OfferedChannels {
  const { host } = new URL(http.publicUrl);
  const contact = notifications.contact ?? `https://${host}`;
  return new OfferedChannels([
    ...(notifications.email && mailer ? [new MailChannel({ mailer, host })] : []),
    ...(notifications.push
      ? [new PushChannel({ vapid: vapidKeys(rootSecret), contact, allowPrivate: ens.allowPrivateFetch })]
      : []),
  ]);
}

@Global()
@Module({
  imports: [TrafficModule, ArrivalsModule],
  controllers: [NotificationsController],
  providers: [
    { provide: OfferedChannels, inject: [SETTINGS, SECRETS, NOTIFICATION_MAILER], useFactory: offeredChannels },
    {
      provide: NotificationChannelStore,
      inject: [Sealer],
      useFactory: (sealer: Sealer) => new NotificationChannelStore(sealer),
    },
    { provide: OneTimeCodes, inject: [Sealer], useFactory: (sealer: Sealer) => new OneTimeCodes(sealer) },
    fromParts(NotificationSettings, {
      db: Database,
      sealer: Sealer,
      offered: OfferedChannels,
      store: NotificationChannelStore,
      codes: OneTimeCodes,
    }),
    fromParts(Notifier, {
      db: Database,
      sealer: Sealer,
      clock: CLOCK,
      offered: OfferedChannels,
      store: NotificationChannelStore,
      traffic: Traffic,
      pace: [SETTINGS, ({ notifications }: Settings) => notifications],
      log: EVENT_LOG,
    }),
    fromParts(ArrivalsElsewhere, {
      db: Database,
      mailbox: MailboxStore,
      channel: ArrivalChannel,
      notifier: Notifier,
      log: EVENT_LOG,
    }),
  ],
  exports: [OfferedChannels, OneTimeCodes],
})
export class NotificationsModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly submissions: SubmissionService,
    private readonly notifier: Notifier,
    private readonly elsewhere: ArrivalsElsewhere,
    private readonly roles: Roles,
  ) {}

  /** Workers tell. One that takes no submissions hears of those that others took. */
  onApplicationBootstrap(): void {
    if (!this.roles.has('worker')) return;
    this.submissions.onDeposit(({ receiver }) => this.notifier.arrived(receiver));
    this.notifier.start();
    if (!this.roles.has('api')) this.elsewhere.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.elsewhere.stop();
    await this.notifier.stop();
  }
}
