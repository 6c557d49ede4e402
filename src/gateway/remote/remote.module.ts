import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Settings } from '../../config/settings.js';
import { EVENT_LOG, SETTINGS } from '../../config/tokens.js';
import type { EventLog } from '../../ops/event-log.js';
import { Database } from '../../storage/database.js';
import { Sealer } from '../../storage/sealer.js';
import { BrokeredNetworks } from './brokered-networks.js';
import { REMOTE_NETWORKS, type RemoteNetworks } from './remote-networks.js';

function openNetworks({ broker, delivery }: Settings, db: Database, sealer: Sealer, log: EventLog): RemoteNetworks {
  return new BrokeredNetworks({ broker: broker!, db, sealer, leaseSeconds: delivery.leaseSeconds, log });
}

/** Only where a broker is configured: it loads libraries that no other process needs. */
@Global()
@Module({
  providers: [{ provide: REMOTE_NETWORKS, inject: [SETTINGS, Database, Sealer, EVENT_LOG], useFactory: openNetworks }],
  exports: [REMOTE_NETWORKS],
})
export class RemoteModule implements OnApplicationShutdown {
  constructor(@Inject(REMOTE_NETWORKS) private readonly networks: RemoteNetworks) {}

  /** When nobody is left who could ask. */
  async onApplicationShutdown(): Promise<void> {
    await this.networks.close();
  }
}
