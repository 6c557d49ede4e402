import type { Server as HttpServer } from 'node:http';
import { Module, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { fromParts } from '../../config/from-parts.js';
import type { Settings } from '../../config/settings.js';
import { CLOCK, EVENT_LOG, SETTINGS } from '../../config/tokens.js';
import { NameService } from '../../naming/name-service.js';
import { Metrics } from '../../ops/metrics.js';
import { Shutdown } from '../../ops/shutdown.js';
import { Database } from '../../storage/database.js';
import { LoginService } from '../access/login.service.js';
import { MailboxStore } from '../mailbox/mailbox.store.js';
import { Permissions } from '../permissions/permissions.js';
import { Presence } from '../presence/presence.js';
import { SubmissionService } from '../submission/submission.service.js';
import { ArrivalChannel } from './arrival-channel.js';
import { ArrivalsModule } from './arrivals.module.js';
import { MailboxPush } from './mailbox-push.js';
import { SocketServer } from './socket-server.js';

@Module({
  imports: [ArrivalsModule],
  providers: [
    fromParts(MailboxPush, {
      db: Database,
      mailbox: MailboxStore,
      channel: ArrivalChannel,
      clock: CLOCK,
      log: EVENT_LOG,
    }),
    fromParts(Presence, { db: Database, log: EVENT_LOG }),
    fromParts(SocketServer, {
      http: [HttpAdapterHost, (host: HttpAdapterHost) => () => host.httpAdapter.getHttpServer() as HttpServer],
      names: NameService,
      logins: LoginService,
      submissions: SubmissionService,
      push: MailboxPush,
      permissions: Permissions,
      presence: Presence,
      clock: CLOCK,
      sizeLimit: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.sizeLimit],
      log: EVENT_LOG,
    }),
  ],
})
export class SocketModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly push: MailboxPush,
    private readonly permissions: Permissions,
    private readonly presence: Presence,
    private readonly sockets: SocketServer,
    private readonly metrics: Metrics,
    private readonly shutdown: Shutdown,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.metrics.observe('sockets_connected', "Sockets of accounts' clients.", async () => this.push.connected);
    this.permissions.onChange((account) => this.presence.permissionsChanged(account));
    this.push.start();
    this.presence.start();
    await this.sockets.start();
    this.shutdown.addDoor('sockets', () => this.sockets.stop());
  }

  /** Behind the doors, which are closed by now. */
  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([this.push.stop(), this.presence.stop()]);
  }
}
