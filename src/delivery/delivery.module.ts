import { Global, Module, type OnModuleInit } from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import { fromParts } from '../config/from-parts.js';
import type { Secrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import { CLOCK, CRYPTO, EVENT_LOG, RANDOM, SECRETS, SETTINGS } from '../config/tokens.js';
import { BoundedCache } from '../naming/bounded-cache.js';
import { NameService } from '../naming/name-service.js';
import { ProfileResolver } from '../naming/profile-resolver.js';
import { safeFetch } from '../naming/safe-fetch.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { fromUtf8 } from '../protocol/encoding/utf8.js';
import { Database } from '../storage/database.js';
import { deriveKey, Sealer } from '../storage/sealer.js';
import { LoginService } from './access/login.service.js';
import { AccountService } from './accounts/account.service.js';
import { AccountController } from './api/account.controller.js';
import { RpcController } from './api/rpc.controller.js';
import { DeliveryServiceClient, type PostJson } from './forwarding/delivery-service-client.js';
import { ForwardingService } from './forwarding/forwarding.service.js';
import { MailboxStore } from './mailbox/mailbox.store.js';
import { OwnService } from './own-service.js';
import { DeliveryServiceInfo } from './properties.js';
import { ServiceRecords } from './service-records.js';
import { Parties } from './submission/parties.js';
import { SubmissionService } from './submission/submission.service.js';

const FORWARD_TIMEOUT_MS = 20_000;
const SIZE_LIMIT_TTL_MS = 5 * 60_000;
const SIZE_LIMITS_KEPT = 10_000;

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

@Global()
@Module({
  controllers: [RpcController, AccountController],
  providers: [
    { provide: MailboxStore, inject: [Sealer], useFactory: (sealer: Sealer) => new MailboxStore(sealer) },
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
      ownName: [OwnService, nameOf],
      signUp: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.signUp],
    }),
    fromParts(Parties, { crypto: CRYPTO, names: NameService, accounts: AccountService }),
    fromParts(SubmissionService, {
      crypto: CRYPTO,
      random: RANDOM,
      clock: CLOCK,
      db: Database,
      sealer: Sealer,
      keys: [OwnService, ({ keys }: OwnService) => keys],
      parties: Parties,
      mailbox: MailboxStore,
      sizeLimit: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.sizeLimit],
      log: EVENT_LOG,
    }),
    fromParts(LoginService, {
      crypto: CRYPTO,
      random: RANDOM,
      clock: CLOCK,
      db: Database,
      sealer: Sealer,
      names: NameService,
      accounts: AccountService,
      ownName: [OwnService, nameOf],
      tokenSecret: [SECRETS, ({ rootSecret }: Secrets) => deriveKey(rootSecret, 'session tokens')],
      challengeSeconds: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.challengeSeconds],
      sessionSeconds: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.sessionSeconds],
    }),
    fromParts(DeliveryServiceInfo, {
      settings: [SETTINGS, ({ deliveryService }: Settings) => deliveryService],
      parties: Parties,
    }),
    fromParts(ForwardingService, {
      crypto: CRYPTO,
      random: RANDOM,
      own: OwnService,
      ownSizeLimit: [SETTINGS, ({ deliveryService }: Settings) => deliveryService.sizeLimit],
      submissions: SubmissionService,
      profiles: ProfileResolver,
      client: [SETTINGS, ({ ens }: Settings) => new DeliveryServiceClient(postJson(ens.allowPrivateFetch))],
      sizeLimits: [CLOCK, sizeLimitCache],
    }),
    fromParts(ServiceRecords, { crypto: CRYPTO, own: OwnService }),
  ],
  exports: [OwnService, AccountService, Parties, SubmissionService, ForwardingService, MailboxStore, LoginService],
})
export class DeliveryModule implements OnModuleInit {
  constructor(
    private readonly names: NameService,
    private readonly accounts: AccountService,
    private readonly records: ServiceRecords,
  ) {}

  onModuleInit(): void {
    this.names.addSource(this.records);
    this.names.addSource(this.accounts);
  }
}
