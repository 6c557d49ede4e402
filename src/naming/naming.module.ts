import { Global, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import type { EthAddress } from '../common/ids.js';
import { fromParts } from '../config/from-parts.js';
import type { Secrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import { ALIAS_CODECS, CLOCK, CRYPTO, EVENT_LOG, SECRETS, SETTINGS } from '../config/tokens.js';
import type { EventLog } from '../ops/event-log.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { deriveKey } from '../storage/sealer.js';
import { AliasNames } from './alias/alias-names.js';
import type { AliasCodec } from './alias/codec.js';
import { AliasRegistryReader } from './alias/registry-reader.js';
import { TopLevelDirectory } from './alias/top-level-directory.js';
import { CcipReadController } from './ccip-read/ccip-read.controller.js';
import { CcipReadService } from './ccip-read/ccip-read.service.js';
import { AnswerSigner } from './ccip-read/signer.js';
import { ChainAccount } from './chain-account.js';
import { ChainReader } from './chain-reader.js';
import { EnsClient } from './ens-client.js';
import { normaliseName } from './ens-name.js';
import { NameService } from './name-service.js';
import { OwnerCheck } from './owner-check.js';
import { ProfileResolver } from './profile-resolver.js';

/** The key that signs CCIP-read answers; the resolver contract must know its address. */
export function ccipSignerKey(rootSecret: Uint8Array): string {
  return `0x${Buffer.from(deriveKey(rootSecret, 'ccip-read signer')).toString('hex')}`;
}

const chainOf = ({ ens }: Settings) => ({
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
      provide: EnsClient,
      inject: [SETTINGS],
      useFactory: (settings: Settings) =>
        new EnsClient({ ...chainOf(settings), registry: settings.ens.registry as EthAddress }),
    },
    {
      provide: ChainAccount,
      inject: [SETTINGS, CLOCK],
      useFactory: (settings: Settings, clock: Clock) =>
        new ChainAccount({ ...chainOf(settings), clock, ttlMs: settings.ens.balanceCacheSeconds * 1_000 }),
    },
    {
      provide: ChainReader,
      inject: [SETTINGS],
      useFactory: (settings: Settings) => new ChainReader(chainOf(settings)),
    },
    fromParts(OwnerCheck, { crypto: CRYPTO, chain: ChainReader }),
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
      provide: TopLevelDirectory,
      inject: [SETTINGS, EVENT_LOG],
      useFactory: (settings: Settings, log: EventLog) => {
        const { aliasRegistry, topLevelAliases } = settings.names;
        const contract = aliasRegistry as EthAddress | undefined;
        const reader = contract ? new AliasRegistryReader({ ...chainOf(settings), contract }) : null;
        return new TopLevelDirectory(new Map(Object.entries(topLevelAliases)), reader, log);
      },
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
          topLevel: () => directory.current,
        }),
    },
    {
      provide: CcipReadService,
      inject: [SETTINGS, SECRETS, CLOCK, NameService],
      useFactory: ({ ccipRead }: Settings, { rootSecret }: Secrets, clock: Clock, names: NameService) =>
        new CcipReadService({
          sources: [{ find: (name) => names.localRecords(name) }],
          signer: new AnswerSigner({ privateKeys: [ccipSignerKey(rootSecret)], form: ccipRead.digest }),
          resolvers: ccipRead.resolvers as readonly string[] as readonly EthAddress[],
          clock,
          validitySeconds: ccipRead.validitySeconds,
        }),
    },
  ],
  exports: [EnsClient, ChainAccount, OwnerCheck, ProfileResolver, AliasNames, TopLevelDirectory, NameService],
})
export class NamingModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly directory: TopLevelDirectory,
    private readonly ens: EnsClient,
    private readonly accounts: ChainAccount,
    private readonly contracts: ChainReader,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.directory.start();
  }

  onApplicationShutdown(): void {
    this.directory.stop();
    this.ens.close();
    this.accounts.close();
    this.contracts.close();
  }
}
