import { Global, Module, type OnModuleInit } from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import type { EnsName } from '../common/ids.js';
import type { Secrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import { CLOCK, CRYPTO, EVENT_LOG, RANDOM, SECRETS, SETTINGS } from '../config/tokens.js';
import { BoundedCache } from '../naming/bounded-cache.js';
import { normaliseName } from '../naming/ens-name.js';
import { NameService } from '../naming/name-service.js';
import { ProfileResolver } from '../naming/profile-resolver.js';
import { safeFetch } from '../naming/safe-fetch.js';
import type { EventLog } from '../ops/event-log.js';
import { profileKeysFromSeed, type ProfileKeys } from '../protocol/crypto/keys.js';
import type { CryptoProvider, RandomBytes } from '../protocol/crypto/provider.js';
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
import { DeliveryServiceInfo } from './properties.js';
import { ServiceRecords } from './service-records.js';
import { Parties } from './submission/parties.js';
import { SubmissionService } from './submission/submission.service.js';

/** Where the delivery service answers below the public URL. */
export const BASE_PATH = '/ds';

const SEEN_MARGIN_DAYS = 30;
const LONGEST_RETRY_DAYS = 7;
export const SEEN_SECONDS = (SEEN_MARGIN_DAYS + LONGEST_RETRY_DAYS) * 86_400;

const FORWARD_TIMEOUT_MS = 20_000;
const SIZE_LIMIT_TTL_MS = 5 * 60_000;

/** The delivery service's own name and keys. */
export class OwnService {
  readonly name: EnsName;
  readonly keys: ProfileKeys;

  constructor(crypto: CryptoProvider, rootSecret: Uint8Array, name: string) {
    this.name = normaliseName(name);
    this.keys = profileKeysFromSeed(crypto, deriveKey(rootSecret, 'delivery service keys'));
  }
}

function postJson(allowPrivate: boolean): PostJson {
  return async (url, json) => {
    const { status, body } = await safeFetch(url, { allowPrivate, json, timeoutMs: FORWARD_TIMEOUT_MS });
    return { status, text: fromUtf8(body) };
  };
}

@Global()
@Module({
  controllers: [RpcController, AccountController],
  providers: [
    { provide: MailboxStore, inject: [Sealer], useFactory: (sealer: Sealer) => new MailboxStore(sealer) },
    {
      provide: OwnService,
      inject: [CRYPTO, SECRETS, SETTINGS],
      useFactory: (crypto: CryptoProvider, { rootSecret }: Secrets, { deliveryService }: Settings) =>
        new OwnService(crypto, rootSecret, deliveryService.name),
    },
    {
      provide: AccountService,
      inject: [CRYPTO, Database, NameService, OwnService, SETTINGS],
      useFactory: (crypto: CryptoProvider, db: Database, names: NameService, own: OwnService, settings: Settings) =>
        new AccountService({ crypto, db, names, ownName: own.name, signUp: settings.deliveryService.signUp }),
    },
    {
      provide: Parties,
      inject: [CRYPTO, NameService, AccountService],
      useFactory: (crypto: CryptoProvider, names: NameService, accounts: AccountService) =>
        new Parties(crypto, names, accounts),
    },
    {
      provide: SubmissionService,
      inject: [CRYPTO, RANDOM, CLOCK, Database, Sealer, OwnService, Parties, MailboxStore, SETTINGS, EVENT_LOG],
      useFactory: (
        crypto: CryptoProvider,
        random: RandomBytes,
        clock: Clock,
        db: Database,
        sealer: Sealer,
        { keys }: OwnService,
        parties: Parties,
        mailbox: MailboxStore,
        { deliveryService: { sizeLimit } }: Settings,
        log: EventLog,
      ) =>
        new SubmissionService({
          crypto,
          random,
          clock,
          db,
          sealer,
          keys,
          parties,
          mailbox,
          sizeLimit,
          seenSeconds: SEEN_SECONDS,
          log,
        }),
    },
    {
      provide: LoginService,
      inject: [CRYPTO, RANDOM, CLOCK, Database, Sealer, NameService, AccountService, OwnService, SECRETS, SETTINGS],
      useFactory: (
        crypto: CryptoProvider,
        random: RandomBytes,
        clock: Clock,
        db: Database,
        sealer: Sealer,
        names: NameService,
        accounts: AccountService,
        own: OwnService,
        { rootSecret }: Secrets,
        { deliveryService: { challengeSeconds, sessionSeconds } }: Settings,
      ) => {
        const tokenSecret = deriveKey(rootSecret, 'session tokens');
        const parts = { crypto, random, clock, db, sealer, names, accounts, ownName: own.name, tokenSecret };
        return new LoginService({ ...parts, challengeSeconds, sessionSeconds });
      },
    },
    {
      provide: DeliveryServiceInfo,
      inject: [SETTINGS, NameService, AccountService],
      useFactory: ({ deliveryService }: Settings, names: NameService, accounts: AccountService) =>
        new DeliveryServiceInfo(deliveryService, names, accounts),
    },
    {
      provide: ForwardingService,
      inject: [CRYPTO, RANDOM, CLOCK, OwnService, SubmissionService, ProfileResolver, SETTINGS],
      useFactory: (
        crypto: CryptoProvider,
        random: RandomBytes,
        clock: Clock,
        own: OwnService,
        submissions: SubmissionService,
        profiles: ProfileResolver,
        { deliveryService, ens }: Settings,
      ) =>
        new ForwardingService({
          crypto,
          random,
          ownName: own.name,
          ownEncryptionKey: own.keys.encryption.publicKey,
          ownSizeLimit: deliveryService.sizeLimit,
          submissions,
          profiles,
          client: new DeliveryServiceClient(postJson(ens.allowPrivateFetch)),
          sizeLimits: new BoundedCache({
            clock,
            maxEntries: 10_000,
            ttlMs: (limit) => (limit === null ? 0 : SIZE_LIMIT_TTL_MS),
          }),
        }),
    },
    {
      provide: ServiceRecords,
      inject: [CRYPTO, OwnService, SETTINGS],
      useFactory: (crypto: CryptoProvider, { name, keys }: OwnService, { http }: Settings) =>
        new ServiceRecords(name, { crypto, keys, url: `${http.publicUrl}${BASE_PATH}` }),
    },
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
