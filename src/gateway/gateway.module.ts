import {
  Global,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { fromParts } from '../config/from-parts.js';
import { Roles } from '../config/roles.js';
import type { Secrets } from '../config/secrets.js';
import { byNetwork, DELAY_NOTICE_SECONDS, PER_DESTINATION, type Settings } from '../config/settings.js';
import { CLOCK, CRYPTO, EVENT_LOG, RANDOM, SECRETS, SETTINGS } from '../config/tokens.js';
import { AccountService } from '../delivery/accounts/account.service.js';
import { OwnService } from '../delivery/own-service.js';
import { ForwardingService } from '../delivery/forwarding/forwarding.service.js';
import { DeliveryRetention } from '../delivery/retention/delivery-retention.js';
import { SpamGuard } from '../delivery/spam/spam-guard.js';
import { Parties } from '../delivery/submission/parties.js';
import { AliasNames } from '../naming/alias/alias-names.js';
import { NameService } from '../naming/name-service.js';
import { Pictures } from '../naming/pictures.js';
import type { EventLog } from '../ops/event-log.js';
import { Metrics } from '../ops/metrics.js';
import { Probes } from '../ops/probes.js';
import { remembered } from '../ops/remembered.js';
import { Shutdown } from '../ops/shutdown.js';
import { Outbox, type OutboxCounts } from '../outbox/outbox.js';
import type { ItemHandler } from '../outbox/item-handler.js';
import { OutboxWorker } from '../outbox/outbox-worker.js';
import { QueuePressure } from '../outbox/pressure.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { Database } from '../storage/database.js';
import { deriveKey, Sealer } from '../storage/sealer.js';
import { AdapterRegistry } from './adapters.js';
import { AdapterRunner } from './adapter-runner.js';
import { AdminService } from './admin/admin.service.js';
import { AttachmentStore } from './attachments/attachment.store.js';
import { Attachments } from './attachments/attachments.js';
import { ConversationStore } from './conversations/conversation.store.js';
import { ConversationTokens } from './conversations/token.js';
import { FromDm3Handler } from './from-dm3/from-dm3.handler.js';
import { GatewayDestination } from './from-dm3/gateway-destination.js';
import { GhostKeys } from './ghosts/ghost-keys.js';
import { GhostService } from './ghosts/ghost.service.js';
import { GhostStore } from './ghosts/ghost.store.js';
import { KeyHistory } from './ghosts/key-history.js';
import { profileBelievedSeconds } from './ghosts/key-times.js';
import { LinkDeskService } from './links/link-desk.js';
import { LinkStore } from './links/link.store.js';
import { LinkedProfiles } from './links/linked-profiles.js';
import { LinkedRecords } from './links/linked-records.js';
import { RelayPolicy } from './links/relay-policy.js';
import { Maintenance } from './maintenance.js';
import { MessageMapStore } from './messages/message-map.store.js';
import { MessageStore } from './messages/message.store.js';
import { MessageTraceStore } from './messages/message-trace.store.js';
import { ITEM, MessageQueue } from './messages/queue.js';
import { NoticeHandler } from './notices/notice.handler.js';
import { Notices } from './notices/notices.js';
import { REMOTE_NETWORKS } from './remote/remote-networks.js';
import { retryPolicy } from './retry.js';
import { GatewayPortService } from './to-dm3/gateway-port.js';
import { ReceiverRules } from './to-dm3/receiver-rules.js';
import { ToDm3Handler } from './to-dm3/to-dm3.handler.js';

/** Anybody may ask for metrics, and to count takes a look at all that waits. */
const COUNTED_FOR_MS = 5_000;

const sealed = <T>(Store: new (sealer: Sealer) => T) => ({
  provide: Store,
  inject: [Sealer],
  useFactory: (sealer: Sealer) => new Store(sealer),
});

function createWorker(
  db: Database,
  outbox: Outbox,
  toDm3: ToDm3Handler,
  fromDm3: FromDm3Handler,
  notice: NoticeHandler,
  { delivery }: Settings,
  log: EventLog,
): OutboxWorker {
  const handlers = new Map<string, ItemHandler>([
    [ITEM.toDm3, toDm3],
    [ITEM.fromDm3, fromDm3],
    [ITEM.notice, notice],
  ]);
  const { concurrency, leaseSeconds, pollSeconds } = delivery;
  const caps = byNetwork(delivery.perDestination, PER_DESTINATION);
  const policyOf = (network: string) => retryPolicy(network, delivery.retry);
  return new OutboxWorker({
    db,
    outbox,
    handlers,
    policyOf,
    concurrency,
    caps,
    leaseSeconds,
    pollSeconds,
    log,
  });
}

@Global()
@Module({
  providers: [
    sealed(ConversationStore),
    sealed(GhostStore),
    sealed(MessageStore),
    sealed(MessageMapStore),
    sealed(MessageTraceStore),
    AdapterRegistry,
    fromParts(AdapterRunner, {
      adapters: AdapterRegistry,
      roles: Roles,
      db: Database,
      remote: REMOTE_NETWORKS,
      log: EVENT_LOG,
    }),
    { provide: Outbox, inject: [Database], useFactory: (db: Database) => new Outbox(db.schema) },
    fromParts(MessageQueue, {
      outbox: Outbox,
      sealer: Sealer,
      expirySeconds: [SETTINGS, ({ delivery }: Settings) => delivery.expirySeconds],
      delayNotice: [SETTINGS, ({ delivery }: Settings) => byNetwork(delivery.delayNoticeSeconds, DELAY_NOTICE_SECONDS)],
    }),
    {
      provide: ConversationTokens,
      inject: [SECRETS],
      useFactory: ({ rootSecret }: Secrets) => new ConversationTokens(deriveKey(rootSecret, 'conversation tokens')),
    },
    {
      provide: GhostKeys,
      inject: [CRYPTO, SECRETS],
      useFactory: (crypto: CryptoProvider, { rootSecret }: Secrets) => new GhostKeys(crypto, rootSecret),
    },
    fromParts(KeyHistory, { db: Database, clock: CLOCK }),
    fromParts(GhostService, {
      crypto: CRYPTO,
      clock: CLOCK,
      db: Database,
      keys: GhostKeys,
      history: KeyHistory,
      store: GhostStore,
      aliases: AliasNames,
      deliveryService: [OwnService, ({ name }: OwnService) => name],
      formatAddress: [AdapterRegistry, (adapters: AdapterRegistry) => (foreign) => adapters.format(foreign)],
      profileBelievedSeconds: [SETTINGS, profileBelievedSeconds],
    }),
    fromParts(Notices, {
      ghosts: GhostService,
      adapters: AdapterRegistry,
      conversations: ConversationStore,
      messages: MessageStore,
      queue: MessageQueue,
      names: NameService,
      conversationDays: [SETTINGS, ({ delivery }: Settings) => delivery.conversationDays],
      clock: CLOCK,
    }),
    fromParts(GatewayDestination, {
      ghosts: GhostService,
      links: LinkedProfiles,
      adapters: AdapterRegistry,
      messages: MessageStore,
      trace: MessageTraceStore,
      queue: MessageQueue,
    }),
    fromParts(ReceiverRules, {
      db: Database,
      accounts: AccountService,
      spam: SpamGuard,
      ghosts: GhostService,
      messages: MessageStore,
    }),
    fromParts(GatewayPortService, {
      db: Database,
      sealer: Sealer,
      names: NameService,
      pictures: Pictures,
      accounts: AccountService,
      forwarding: ForwardingService,
      ghosts: GhostService,
      conversations: ConversationStore,
      messages: MessageStore,
      map: MessageMapStore,
      trace: MessageTraceStore,
      queue: MessageQueue,
      pressure: QueuePressure,
      notices: Notices,
      relay: RelayPolicy,
      links: LinkDeskService,
      rules: ReceiverRules,
      attachments: Attachments,
      log: EVENT_LOG,
    }),
    fromParts(ToDm3Handler, {
      crypto: CRYPTO,
      random: RANDOM,
      db: Database,
      names: NameService,
      accounts: AccountService,
      forwarding: ForwardingService,
      ghosts: GhostService,
      tokens: ConversationTokens,
      messages: MessageStore,
      map: MessageMapStore,
      trace: MessageTraceStore,
      queue: MessageQueue,
      notices: Notices,
      log: EVENT_LOG,
    }),
    fromParts(FromDm3Handler, {
      crypto: CRYPTO,
      db: Database,
      names: NameService,
      adapters: AdapterRegistry,
      ghosts: GhostService,
      tokens: ConversationTokens,
      conversations: ConversationStore,
      messages: MessageStore,
      map: MessageMapStore,
      trace: MessageTraceStore,
      queue: MessageQueue,
      notices: Notices,
      attachments: Attachments,
      conversationDays: [SETTINGS, ({ delivery }: Settings) => delivery.conversationDays],
      log: EVENT_LOG,
    }),
    fromParts(NoticeHandler, {
      db: Database,
      adapters: AdapterRegistry,
      messages: MessageStore,
      notices: Notices,
      queue: MessageQueue,
      log: EVENT_LOG,
    }),
    {
      provide: OutboxWorker,
      inject: [Database, Outbox, ToDm3Handler, FromDm3Handler, NoticeHandler, SETTINGS, EVENT_LOG],
      useFactory: createWorker,
    },
    fromParts(Maintenance, {
      db: Database,
      outbox: Outbox,
      delivery: DeliveryRetention,
      ghosts: GhostStore,
      links: LinkStore,
      conversations: ConversationStore,
      map: MessageMapStore,
      messages: MessageStore,
      attachments: AttachmentStore,
      retention: [SETTINGS, ({ delivery }: Settings) => delivery],
      log: EVENT_LOG,
    }),
    fromParts(AdminService, {
      db: Database,
      outbox: Outbox,
      messages: MessageStore,
      trace: MessageTraceStore,
      queue: MessageQueue,
      ourIds: [AdapterRegistry, (adapters: AdapterRegistry) => (id: string) => adapters.ourIds(id)],
    }),
  ],
  exports: [AdapterRegistry, AdapterRunner, AdminService, GhostService],
})
export class GatewayModule implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly names: NameService,
    private readonly parties: Parties,
    private readonly records: LinkedRecords,
    private readonly destination: GatewayDestination,
    private readonly runner: AdapterRunner,
    private readonly port: GatewayPortService,
    private readonly roles: Roles,
    private readonly worker: OutboxWorker,
    private readonly maintenance: Maintenance,
    private readonly admin: AdminService,
    private readonly db: Database,
    private readonly probes: Probes,
    private readonly metrics: Metrics,
    private readonly shutdown: Shutdown,
  ) {}

  onModuleInit(): void {
    this.names.addSource(this.records);
    this.parties.addDestination(this.destination);
    this.probes.add({ name: 'database', check: async () => ({ up: (await this.db.query('SELECT 1')).length === 1 }) });
    for (const probe of this.runner.probes()) this.probes.add(probe);
    for (const [network, close] of this.runner.doors()) this.shutdown.addDoor(network, close);
    this.shutdown.addDoor('queue', () => this.worker.stop());
    this.#observeQueue();
  }

  #observeQueue(): void {
    const counts = remembered(() => this.admin.counts(), COUNTED_FOR_MS);
    const observe = (name: string, help: string, of: (all: OutboxCounts) => number) =>
      this.metrics.observe(name, help, async () => of(await counts()));
    observe('queue_waiting', 'Messages waiting for delivery.', ({ waiting }) => waiting);
    observe('queue_dead', 'Dead letters.', ({ dead }) => dead);
    observe('queue_oldest_seconds', 'Age of the oldest waiting message.', ({ oldestSeconds }) => oldestSeconds);
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.roles.has('worker')) {
      await this.worker.start();
      this.maintenance.start();
    }
    await this.runner.start(this.port);
  }

  beforeApplicationShutdown(): void {
    this.maintenance.stop();
  }
}
