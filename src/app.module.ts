import { Global, Module, type DynamicModule } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import type { Logger } from 'pino';
import type { EmailAdapter } from './adapters/email/adapter.js';
import type { EmailConfig } from './adapters/email/config.js';
import type { DnsResolver } from './adapters/email/dns.js';
import type { MatrixConfig } from './adapters/matrix/config.js';
import type { Clock } from './common/clock.js';
import { Roles } from './config/roles.js';
import type { Secrets } from './config/secrets.js';
import type { Settings } from './config/settings.js';
import { ALIAS_CODECS, CLOCK, CRYPTO, EVENT_LOG, RANDOM, SECRETS, SERVED_NETWORKS, SETTINGS } from './config/tokens.js';
import { DeliveryModule } from './delivery/delivery.module.js';
import { NOTIFICATION_MAILER, type NotificationMailer } from './delivery/notifications/mailer.js';
import { NotificationsModule } from './delivery/notifications/notifications.module.js';
import { ArrivalsModule } from './delivery/socket/arrivals.module.js';
import { SocketModule } from './delivery/socket/socket.module.js';
import { TrafficModule } from './delivery/traffic/traffic.module.js';
import type { Adapter } from './gateway/adapter/adapter.js';
import { AttachmentsModule } from './gateway/attachments/attachments.module.js';
import { AdapterRunner } from './gateway/adapter-runner.js';
import { AdapterRegistry } from './gateway/adapters.js';
import { GatewayModule } from './gateway/gateway.module.js';
import { LinksModule } from './gateway/links/links.module.js';
import { REMOTE_NETWORKS } from './gateway/remote/remote-networks.js';
import type { AliasCodec } from './naming/alias/codec.js';
import { emailCodec } from './naming/alias/email.js';
import { matrixCodec } from './naming/alias/matrix.js';
import { NamingModule } from './naming/naming.module.js';
import type { EventLog } from './ops/event-log.js';
import { requestLogging } from './ops/http-log.js';
import { Metrics } from './ops/metrics.js';
import { OpsModule } from './ops/ops.module.js';
import type { CryptoProvider, RandomBytes } from './protocol/crypto/provider.js';
import { StorageModule } from './storage/storage.module.js';
import { deriveKey } from './storage/sealer.js';

/** What a process starts with: parsed settings, secrets, and the world's time, chance and voice. */
export interface Runtime {
  readonly settings: Settings;
  readonly secrets: Secrets;
  readonly roles: Roles;
  readonly crypto: CryptoProvider;
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly log: EventLog;
  readonly metrics: Metrics;
  readonly networks: Networks;
}

/** The networks this process serves; one that is not configured is not there. */
export interface Networks {
  readonly email?: { readonly config: EmailConfig; readonly dns: DnsResolver };
  readonly matrix?: { readonly config: MatrixConfig };
  /** Ready-made ones: the fake network of the contract test. */
  readonly others?: readonly { readonly adapter: Adapter; readonly codec: AliasCodec }[];
}

/** Their names. */
export function networksOf({ email, matrix, others = [] }: Networks): string[] {
  return [...(email ? ['email'] : []), ...(matrix ? ['matrix'] : []), ...others.map(({ adapter }) => adapter.network)];
}

@Global()
@Module({})
class RuntimeModule {
  static forRoot({ settings, secrets, roles, crypto, random, clock, log, metrics, networks }: Runtime): DynamicModule {
    const providers = [
      { provide: SETTINGS, useValue: settings },
      { provide: SECRETS, useValue: secrets },
      { provide: Roles, useValue: roles },
      { provide: CRYPTO, useValue: crypto },
      { provide: RANDOM, useValue: random },
      { provide: CLOCK, useValue: clock },
      { provide: EVENT_LOG, useValue: log },
      { provide: Metrics, useValue: metrics },
      { provide: ALIAS_CODECS, useValue: codecsOf(networks) },
      { provide: SERVED_NETWORKS, useValue: networksOf(networks) },
    ];
    return { module: RuntimeModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}

/** One line a network: this is the only place that knows them all. */
@Global()
@Module({})
class NetworksModule {
  static async forRoot(runtime: Runtime): Promise<DynamicModule> {
    const email = await emailAdapter(runtime);
    const matrix = await matrixNetwork(runtime);
    const adapters: Adapter[] = [
      ...(email ? [email] : []),
      ...(runtime.networks.others ?? []).map(({ adapter }) => adapter),
    ];
    const register = (runner: AdapterRunner, ...injected: Adapter[]): void => {
      for (const adapter of [...adapters, ...injected]) runner.add(adapter);
    };
    const providers = [
      { provide: 'adapters', inject: [AdapterRunner, ...(matrix?.adapters ?? [])], useFactory: register },
      { provide: NOTIFICATION_MAILER, inject: [AdapterRegistry], useFactory: await mailerOf(email) },
    ];
    const imports = matrix ? [matrix.module] : [];
    return { module: NetworksModule, imports, providers, exports: [NOTIFICATION_MAILER] };
  }
}

/** Its libraries take a while and much memory: they are loaded only where mail is served. */
async function emailAdapter({ networks: { email }, secrets, clock, log }: Runtime): Promise<EmailAdapter | null> {
  if (!email) return null;
  const { EmailAdapter } = await import('./adapters/email/adapter.js');
  const secret = deriveKey(secrets.rootSecret, 'email');
  return new EmailAdapter({ config: email.config, clock, log, secret, resolver: email.dns });
}

/** Null without mail. */
async function mailerOf(email: EmailAdapter | null): Promise<(adapters: AdapterRegistry) => NotificationMailer | null> {
  if (!email) return () => null;
  const { notificationMailer } = await import('./adapters/email/notification-mailer.js');
  return (adapters) => notificationMailer(email, () => adapters.of(email.network));
}

/** Where messages leave for networks that another process runs. Few have a broker, and nobody else loads its libraries. */
async function remoteNetworks({ settings }: Runtime): Promise<DynamicModule> {
  if (settings.broker) return { module: (await import('./gateway/remote/remote.module.js')).RemoteModule };
  return { module: NoBrokerModule };
}

@Global()
@Module({ providers: [{ provide: REMOTE_NETWORKS, useValue: null }], exports: [REMOTE_NETWORKS] })
class NoBrokerModule {}

/** It keeps events and rooms in the database, so it is made by its own module. */
async function matrixNetwork({ networks: { matrix } }: Runtime) {
  if (!matrix) return null;
  const [{ MatrixModule }, { MatrixAdapter }] = await Promise.all([
    import('./adapters/matrix/matrix.module.js'),
    import('./adapters/matrix/adapter.js'),
  ]);
  return { module: MatrixModule.forRoot(matrix.config), adapters: [MatrixAdapter] };
}

/** Also of networks that are switched off here: their names go on standing for the same people. */
function codecsOf({ others = [] }: Networks): AliasCodec[] {
  return [emailCodec, matrixCodec, ...others.map(({ codec }) => codec)];
}

@Module({})
export class AppModule {
  static forRoot(runtime: Runtime): DynamicModule {
    return {
      module: AppModule,
      imports: [
        // The module's own default, '{/*splat}', matches no request under Fastify.
        LoggerModule.forRoot({ pinoHttp: requestLogging(runtime.logger), forRoutes: ['*path'] }),
        RuntimeModule.forRoot(runtime),
        OpsModule,
        StorageModule,
        NamingModule,
        DeliveryModule,
        ArrivalsModule,
        ...(runtime.roles.has('api') ? [SocketModule] : []),
        TrafficModule,
        NotificationsModule,
        NetworksModule.forRoot(runtime),
        AttachmentsModule,
        remoteNetworks(runtime),
        GatewayModule,
        LinksModule,
      ],
    };
  }
}
