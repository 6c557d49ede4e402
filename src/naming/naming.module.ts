import { Global, Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import type { EthAddress } from '../common/ids.js';
import { fromParts } from '../config/from-parts.js';
import type { Secrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import { ALIAS_CODECS, CLOCK, CRYPTO, EVENT_LOG, SECRETS, SETTINGS } from '../config/tokens.js';
import type { EventLog } from '../ops/event-log.js';
import { Metrics } from '../ops/metrics.js';
import { Probes } from '../ops/probes.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { Database } from '../storage/database.js';
import { RateLimiter } from '../storage/rate-limits/rate-limiter.js';
import { Sealer } from '../storage/sealer.js';
import { AliasNames } from './alias/alias-names.js';
import type { AliasCodec } from './alias/codec.js';
import { openAliasRegistry, openDirectory } from './alias/open-directory.js';
import { AliasRegistryReader } from './alias/registry-reader.js';
import { reportRegistry } from './alias/report-registry.js';
import { TopLevelDirectory } from './alias/top-level-directory.js';
import { AliasTranslator } from './alias/translator.js';
import { CcipReadController } from './ccip-read/ccip-read.controller.js';
import { CcipReadService } from './ccip-read/ccip-read.service.js';
import { ccipSignerKey } from './ccip-read/signer-keys.js';
import { AnswerSigner } from './ccip-read/signer.js';
import { ChainAccount } from './chain-account.js';
import { ChainReader } from './chain-reader.js';
import { EnsClient } from './ens-client.js';
import { normaliseName } from './ens-name.js';
import { NameService } from './name-service.js';
import { OwnerCheck } from './owner-check.js';
import { Pictures } from './pictures.js';
import { ProfileResolver } from './profile-resolver.js';
import { reportHealth } from './rpc/report-health.js';
import { RpcEndpoints } from './rpc/rpc-endpoints.js';

const chainOf = ({ ens }: Settings, endpoints: RpcEndpoints) => ({
  endpoints,
  rpcUrls: ens.rpcUrls,
  chainId: ens.chainId,
  timeoutMs: ens.timeoutMs,
  allowPrivateFetch: ens.allowPrivateFetch,
});

const timesOf = ({ ens }: Settings) => ({
  positiveTtlMs: ens.cacheSeconds * 1_000,
  negativeTtlMs: ens.negativeCacheSeconds * 1_000,
});

@Global()
@Module({
  controllers: [CcipReadController],
  providers: [
    {
      provide: RpcEndpoints,
      inject: [SETTINGS, CLOCK, EVENT_LOG],
      useFactory: ({ ens }: Settings, clock: Clock, log: EventLog) => new RpcEndpoints(ens, { clock, log }),
    },
    {
      provide: EnsClient,
      inject: [SETTINGS, RpcEndpoints],
      useFactory: (settings: Settings, endpoints: RpcEndpoints) =>
        new EnsClient({ ...chainOf(settings, endpoints), registry: settings.ens.registry as EthAddress }),
    },
    {
      provide: ChainAccount,
      inject: [SETTINGS, RpcEndpoints, CLOCK],
      useFactory: (settings: Settings, endpoints: RpcEndpoints, clock: Clock) =>
        new ChainAccount({ ...chainOf(settings, endpoints), clock, ttlMs: settings.ens.balanceCacheSeconds * 1_000 }),
    },
    {
      provide: ChainReader,
      inject: [SETTINGS, RpcEndpoints],
      useFactory: (settings: Settings, endpoints: RpcEndpoints) => new ChainReader(chainOf(settings, endpoints)),
    },
    fromParts(OwnerCheck, { crypto: CRYPTO, chain: ChainReader }),
    fromParts(Pictures, {
      ens: EnsClient,
      ipfsGateway: [SETTINGS, ({ ens }: Settings) => ens.ipfsGateway],
      allowPrivate: [SETTINGS, ({ ens }: Settings) => ens.allowPrivateFetch],
    }),
    {
      provide: ProfileResolver,
      inject: [EnsClient, CRYPTO, OwnerCheck, CLOCK, SETTINGS],
      useFactory: (ens: EnsClient, crypto: CryptoProvider, owners: OwnerCheck, clock: Clock, settings: Settings) =>
        new ProfileResolver({
          ens,
          crypto,
          owners,
          clock,
          acceptBareProfiles: settings.ens.acceptBareProfiles,
          ipfsGateway: `${settings.ens.ipfsGateway}/ipfs/`,
          allowPrivateFetch: settings.ens.allowPrivateFetch,
          ...timesOf(settings),
        }),
    },
    {
      provide: AliasNames,
      inject: [SETTINGS, ALIAS_CODECS],
      useFactory: ({ names }: Settings, codecs: readonly AliasCodec[]) =>
        new AliasNames({ rootName: normaliseName(names.root), codecs }),
    },
    {
      provide: AliasRegistryReader,
      inject: [SETTINGS, RpcEndpoints],
      useFactory: (settings: Settings, endpoints: RpcEndpoints) => openAliasRegistry(settings, endpoints),
    },
    {
      provide: TopLevelDirectory,
      inject: [SETTINGS, AliasRegistryReader, CLOCK, EVENT_LOG],
      useFactory: (settings: Settings, reader: AliasRegistryReader | null, clock: Clock, log: EventLog) =>
        openDirectory(settings, { reader, clock, log }),
    },
    {
      provide: AliasTranslator,
      inject: [SETTINGS, TopLevelDirectory],
      useFactory: ({ names }: Settings, directory: TopLevelDirectory) =>
        new AliasTranslator(normaliseName(names.root), directory),
    },
    {
      provide: NameService,
      inject: [SETTINGS, CLOCK, EnsClient, ProfileResolver, AliasNames, TopLevelDirectory],
      useFactory: (
        settings: Settings,
        clock: Clock,
        ens: EnsClient,
        profiles: ProfileResolver,
        aliases: AliasNames,
        directory: TopLevelDirectory,
      ) =>
        new NameService({
          rootName: normaliseName(settings.names.root),
          ens,
          clock,
          ...timesOf(settings),
          profiles,
          aliases,
          topLevel: directory,
        }),
    },
    {
      provide: AnswerSigner,
      inject: [SETTINGS, SECRETS, CRYPTO],
      useFactory: ({ ccipRead }: Settings, { rootSecret }: Secrets, crypto: CryptoProvider) =>
        new AnswerSigner({
          crypto,
          privateKey: ccipSignerKey(rootSecret, ccipRead.signerVersion),
          form: ccipRead.digest,
        }),
    },
    {
      provide: CcipReadService,
      inject: [SETTINGS, AnswerSigner, CLOCK, NameService],
      useFactory: ({ ccipRead }: Settings, signer: AnswerSigner, clock: Clock, names: NameService) =>
        new CcipReadService({
          sources: [{ find: (name) => names.localRecords(name) }],
          signer,
          resolvers: ccipRead.resolvers as readonly string[] as readonly EthAddress[],
          clock,
          validitySeconds: ccipRead.validitySeconds,
        }),
    },
    {
      provide: RateLimiter,
      inject: [SETTINGS, CLOCK, Database, Sealer],
      useFactory: ({ ccipRead }: Settings, clock: Clock, db: Database, sealer: Sealer) =>
        new RateLimiter({ db, sealer, clock, what: 'lookups', limit: ccipRead.requestsPerMinute }),
    },
  ],
  exports: [
    EnsClient,
    ChainAccount,
    OwnerCheck,
    Pictures,
    ProfileResolver,
    AliasNames,
    AliasTranslator,
    TopLevelDirectory,
    NameService,
  ],
})
export class NamingModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly directory: TopLevelDirectory,
    @Inject(AliasRegistryReader) private readonly aliasRegistry: AliasRegistryReader | null,
    private readonly ens: EnsClient,
    private readonly accounts: ChainAccount,
    private readonly contracts: ChainReader,
    private readonly endpoints: RpcEndpoints,
    private readonly probes: Probes,
    private readonly metrics: Metrics,
  ) {}

  async onModuleInit(): Promise<void> {
    reportHealth(this.endpoints, { probes: this.probes, metrics: this.metrics });
    this.endpoints.start();
    if (this.aliasRegistry) reportRegistry(this.directory, { probes: this.probes, metrics: this.metrics });
    await this.directory.start();
  }

  onApplicationShutdown(): void {
    this.aliasRegistry?.close();
    this.ens.close();
    this.accounts.close();
    this.contracts.close();
    this.endpoints.close();
  }
}
