import {
  Global,
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import { fromParts } from '../config/from-parts.js';
import type { Secrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import { CLOCK, CRYPTO, EVENT_LOG, RANDOM, SECRETS, SETTINGS } from '../config/tokens.js';
import { BoundedCache } from '../naming/bounded-cache.js';
import { ChainAccount } from '../naming/chain-account.js';
import { normaliseName } from '../naming/ens-name.js';
import { NameService } from '../naming/name-service.js';
import { OwnerCheck } from '../naming/owner-check.js';
import { ProfileResolver } from '../naming/profile-resolver.js';
import { safeFetch } from '../naming/safe-fetch.js';
import { QueuePressure } from '../outbox/pressure.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { fromUtf8 } from '../protocol/encoding/utf8.js';
import type { ProfileExtension } from '../protocol/profile/extension.js';
import { Database } from '../storage/database.js';
import { deriveKey, Sealer } from '../storage/sealer.js';
import { ChallengeStore } from './access/challenge.store.js';
import { DeviceStore } from './access/device.store.js';
import { LoginService } from './access/login.service.js';
import { MessageAccess } from './access/message-access.js';
import { PageCursors } from './access/page-cursor.js';
import { AccountService } from './accounts/account.service.js';
import { AccountController } from './api/account.controller.js';
import { AliasController } from './api/alias.controller.js';
import { LegacyLoginController } from './api/legacy.controller.js';
import { MessagesController } from './api/messages.controller.js';
import { PermissionsController } from './api/permissions.controller.js';
import { RpcController } from './api/rpc.controller.js';
import { SentController } from './api/sent.controller.js';
import { SpamController } from './api/spam.controller.js';
import { SubdomainController } from './api/subdomain.controller.js';
import { DeliveryServiceClient, type PostJson } from './forwarding/delivery-service-client.js';
import { ForwardingService } from './forwarding/forwarding.service.js';
import { ReceiverTerms } from './forwarding/receiver-terms.js';
import { Limits } from './limits/limits.js';
import { MailboxQuota } from './limits/mailbox-quota.js';
import { MailboxStore } from './mailbox/mailbox.store.js';
import { OfferedChannels } from './notifications/channel.js';
import { OwnService } from './own-service.js';
import { Permissions } from './permissions/permissions.js';
import { DeliveryServiceInfo } from './properties.js';
import { DeliveryRetention } from './retention/delivery-retention.js';
import { SentMessages } from './sent/sent-messages.js';
import { SentStore } from './sent/sent.store.js';
import { ServiceRecords } from './service-records.js';
import { SpamRulesStore } from './spam/rules.store.js';
import { SpamGuard } from './spam/spam-guard.js';
import { Parties } from './submission/parties.js';
import { Subdomains } from './subdomains/subdomains.js';
import { SubmissionService } from './submission/submission.service.js';

const FORWARD_TIMEOUT_MS = 20_000;
const SIZE_LIMIT_TTL_MS = 5 * 60_000;
const SIZE_LIMITS_KEPT = 10_000;
const EXTENSION_TTL_MS = 5 * 60_000;
const UNKNOWN_EXTENSION_TTL_MS = 60_000;
const EXTENSIONS_KEPT = 10_000;

const nameOf = ({ name }: OwnService) => name;

function postJson(allowPrivate: boolean): PostJson {
  return async (url, json) => {
    const { status, body } = await safeFetch(url, { allowPrivate, json, timeoutMs: FORWARD_TIMEOUT_MS });
    return { status, text: fromUtf8(body) };
  };
}

/** A service that does not say its limit is asked again the next time. */
function sizeLimitCache(clock: Clock) {
  const ttlMs = (limit: number | null) => (limit === null ? 0 : SIZE_LIMIT_TTL_MS);
  return new BoundedCache({ clock, maxEntries: SIZE_LIMITS_KEPT, ttlMs });
}

/** One that says nothing is left in peace for a while: it is asked for every message. */
function extensionCache(clock: Clock) {
  const ttlMs = (extension: ProfileExtension | null) => (extension ? EXTENSION_TTL_MS : UNKNOWN_EXTENSION_TTL_MS);
  return new BoundedCache({ clock, maxEntries: EXTENSIONS_KEPT, ttlMs });
}

function openSubdomains(
  { names, subdomains: { enabled, reserved, minBalance } }: Settings,
  crypto: CryptoProvider,
  db: Database,
  accounts: AccountService,
  chain: ChainAccount,
): Subdomains | null {
  if (!enabled) return null;
  const rootName = normaliseName(names.root);
  return new Subdomains({ crypto, db, accounts, chain, rootName, reserved, minBalance: BigInt(minBalance) });
}

const sealed = <T>(Store: new (sealer: Sealer) => T) => ({
  provide: Store,
  inject: [Sealer],
  useFactory: (sealer: Sealer) => new Store(sealer),
});

@Global()
@Module({
  controllers: [
    RpcController,
    AccountController,
    AliasController,
    MessagesController,
    LegacyLoginController,
    PermissionsController,
    SentController,
    SpamController,
    SubdomainController,
  ],
  providers: [
    sealed(MailboxStore),
    sealed(ChallengeStore),
    sealed(DeviceStore),
    sealed(PageCursors),
    sealed(SentStore),
    {
      provide: OwnService,
      inject: [CRYPTO, SECRETS, SETTINGS],
      useFactory: (crypto: CryptoProvider, { rootSecret }: Secrets, { deliveryService, http }: Settings) =>
        new OwnService(crypto, { rootSecret, name: deliveryService.name, publicUrl: http.publicUrl }),
    },
    fromParts(AccountService, {
      crypto: CRYPTO,
      db: Database,
      names: NameService,
      owners: OwnerCheck,
      ownName: [OwnService, nameOf],
      signUp: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.signUp],
    }),
    sealed(SpamRulesStore),
    fromParts(SpamGuard, {
      clock: CLOCK,
      db: Database,
      store: SpamRulesStore,
      names: NameService,
      facts: ChainAccount,
    }),
    fromParts(Limits, {
      db: Database,
      sealer: Sealer,
      clock: CLOCK,
      rates: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.limits],
    }),
    fromParts(MailboxQuota, {
      clock: CLOCK,
      mailbox: MailboxStore,
      quota: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.quota],
    }),
    fromParts(MessageAccess, {
      crypto: CRYPTO,
      db: Database,
      mailbox: MailboxStore,
      devices: DeviceStore,
      cursors: PageCursors,
      quota: MailboxQuota,
      deviceCursors: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.deviceCursors],
    }),
    fromParts(DeliveryRetention, {
      db: Database,
      mailbox: MailboxStore,
      challenges: ChallengeStore,
      devices: DeviceStore,
      sent: SentStore,
      messageTtlDays: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.messageTtlDays],
      stateDays: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.deliveryStateDays],
      trafficSeconds: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.metrics.retentionSeconds],
    }),
    fromParts(Parties, { clock: CLOCK, crypto: CRYPTO, names: NameService, accounts: AccountService }),
    fromParts(QueuePressure, {
      db: Database,
      limits: [SETTINGS, ({ delivery }: Settings) => delivery.backPressure],
      log: EVENT_LOG,
    }),
    fromParts(SubmissionService, {
      crypto: CRYPTO,
      random: RANDOM,
      clock: CLOCK,
      db: Database,
      sealer: Sealer,
      keys: [OwnService, ({ keys }: OwnService) => keys],
      parties: Parties,
      limits: Limits,
      quota: MailboxQuota,
      spam: SpamGuard,
      mailbox: MailboxStore,
      pressure: QueuePressure,
      sizeLimit: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.sizeLimit],
      log: EVENT_LOG,
    }),
    fromParts(LoginService, {
      crypto: CRYPTO,
      random: RANDOM,
      clock: CLOCK,
      db: Database,
      challenges: ChallengeStore,
      names: NameService,
      accounts: AccountService,
      ownName: [OwnService, nameOf],
      tokenSecret: [SECRETS, ({ rootSecret }: Secrets) => deriveKey(rootSecret, 'session tokens')],
      challengeSeconds: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.challengeSeconds],
      sessionSeconds: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.sessionSeconds],
    }),
    fromParts(Permissions, { db: Database, names: NameService }),
    fromParts(SentMessages, { db: Database, permissions: Permissions, store: SentStore, quota: MailboxQuota }),
    fromParts(DeliveryServiceInfo, {
      settings: [SETTINGS, ({ deliveryService }: Settings) => deliveryService],
      parties: Parties,
      spam: SpamGuard,
      permissions: Permissions,
      notifications: OfferedChannels,
    }),
    {
      provide: DeliveryServiceClient,
      inject: [SETTINGS],
      useFactory: ({ ens }: Settings) => new DeliveryServiceClient(postJson(ens.allowPrivateFetch)),
    },
    fromParts(ReceiverTerms, {
      client: DeliveryServiceClient,
      facts: ChainAccount,
      extensions: [CLOCK, extensionCache],
    }),
    fromParts(ForwardingService, {
      crypto: CRYPTO,
      random: RANDOM,
      own: OwnService,
      ownSizeLimit: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.sizeLimit],
      submissions: SubmissionService,
      profiles: ProfileResolver,
      client: DeliveryServiceClient,
      terms: ReceiverTerms,
      sizeLimits: [CLOCK, sizeLimitCache],
    }),
    fromParts(ServiceRecords, { crypto: CRYPTO, own: OwnService }),
    {
      provide: Subdomains,
      inject: [SETTINGS, CRYPTO, Database, AccountService, ChainAccount],
      useFactory: openSubdomains,
    },
  ],
  exports: [
    OwnService,
    AccountService,
    Parties,
    SpamGuard,
    QueuePressure,
    SubmissionService,
    ForwardingService,
    MailboxStore,
    LoginService,
    Limits,
    Permissions,
    DeliveryRetention,
  ],
})
export class DeliveryModule implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly names: NameService,
    private readonly accounts: AccountService,
    private readonly records: ServiceRecords,
    private readonly pressure: QueuePressure,
    @Inject(Subdomains) private readonly subdomains: Subdomains | null,
  ) {}

  onModuleInit(): void {
    this.names.addSource(this.records);
    this.names.addSource(this.accounts);
    if (this.subdomains) this.names.addSource(this.subdomains);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.pressure.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.pressure.stop();
  }
}
