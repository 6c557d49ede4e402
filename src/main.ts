import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Logger } from 'pino';
import { AppModule, networksOf, type Networks, type Runtime } from './app.module.js';
import { systemClock } from './common/clock.js';
import { ConfigError } from './config/errors.js';
import { Roles } from './config/roles.js';
import type { Secrets } from './config/secrets.js';
import type { Settings } from './config/settings.js';
import { withoutLegacyPrefix } from './delivery/api/legacy.controller.js';
import { MESSAGE_HEADERS } from './delivery/api/messages.controller.js';
import { requestLimit } from './delivery/api/request-limit.js';
import { UnreadableBodyFilter } from './delivery/api/unreadable-body.filter.js';
import { AdminModule } from './gateway/admin/admin.module.js';
import { AdminService } from './gateway/admin/admin.service.js';
import { createEventLog, createLogger } from './ops/event-log.js';
import { HttpDoor } from './ops/http-door.js';
import { leaveOutMicroservices } from './ops/lean-nest.js';
import { countingLog, Metrics } from './ops/metrics.js';
import { openOnly, pathsOf } from './ops/open-paths.js';
import { Shutdown } from './ops/shutdown.js';
import { createSodiumProvider } from './protocol/crypto/sodium.js';
import { Database } from './storage/database.js';

/** A running gateway, or what one process does of it: its public application and, with the role api, the operator's. */
export interface RunningGateway {
  readonly app: NestFastifyApplication;
  readonly adminApp: NestFastifyApplication | null;
  readonly runtime: Runtime;
  /** Resolves when nothing is under way any more. Readiness turns red first, and the doors close before the rest. */
  stop(): Promise<void>;
  /** What a stop under way has not done yet. */
  waitingFor(): readonly string[];
}

/** @throws ConfigError if the roles need what is not configured */
export async function createRuntime(
  settings: Settings,
  secrets: Secrets,
  networks: Networks,
  logger: Logger = createLogger({ level: settings.logLevel }),
): Promise<Runtime> {
  const roles = new Roles(settings.roles);
  const served = networksOf(networks);
  roles.refuseWithout(served);
  refuseUnknownRemotes(settings, served);
  const metrics = new Metrics();
  const log = countingLog(createEventLog(logger), metrics);
  const crypto = await createSodiumProvider();
  return { settings, secrets, roles, crypto, random: randomBytes, clock: systemClock, logger, log, metrics, networks };
}

/** Connects, migrates, opens the ports; resolves when everything answers. */
export async function startGateway(runtime: Runtime): Promise<RunningGateway> {
  const { settings, roles, log } = runtime;
  leaveOutMicroservices();
  const app = await createApp(runtime);
  const adminApp = await orClose(app, async () => {
    await app.listen(settings.http.port, settings.http.host);
    return roles.has('api') ? startAdmin(app, settings) : null;
  });
  log.info('gateway.started', { port: settings.http.port, component: `${roles}` });
  const shutdown = app.get(Shutdown);
  const apps = { http: app, ...(adminApp && { admin: adminApp }) };
  const doors = Object.entries(apps).map(([name, each]) => httpDoor(name, each, shutdown, runtime));
  return {
    app,
    adminApp,
    runtime,
    stop: async () => {
      log.info('gateway.stopping');
      shutdown.begin();
      for (const door of doors) door.leave();
      await delay(settings.shutdown.readinessGraceSeconds * 1_000);
      await shutdown.closeDoors();
      await shutdown.wait('rest', closeAll(adminApp, app));
      log.info('gateway.stopped');
    },
    waitingFor: () => shutdown.waitingFor,
  };
}

function httpDoor(name: string, app: NestFastifyApplication, shutdown: Shutdown, { settings, log }: Runtime): HttpDoor {
  const door = new HttpDoor(app.getHttpServer() as Server);
  shutdown.addDoor(name, async () => {
    const count = await door.close(settings.shutdown.requestSeconds * 1_000);
    if (count > 0) log.warn('http.requests-cut', { component: name, count });
  });
  return door;
}

async function closeAll(adminApp: NestFastifyApplication | null, app: NestFastifyApplication): Promise<void> {
  await adminApp?.close();
  await app.close();
}

/** A start that fails leaves nothing running that would keep the process alive. */
async function orClose<T>(app: NestFastifyApplication, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await app.close().catch(() => {});
    throw error;
  }
}

async function startAdmin(app: NestFastifyApplication, { admin }: Settings): Promise<NestFastifyApplication> {
  const module = AdminModule.forServices(app.get(Database), app.get(AdminService));
  const adapter = new FastifyAdapter({ routerOptions: { maxParamLength: 1_000 } }); // Message-IDs are long
  const adminApp = await NestFactory.create<NestFastifyApplication>(module, adapter, { logger: false });
  await adminApp.listen(admin.port, admin.host);
  return adminApp;
}

/** A network that is misspelt here would go its usual way without a word. */
function refuseUnknownRemotes({ broker }: Settings, served: readonly string[]): void {
  const unknown = broker?.networks.find((network) => !served.includes(network));
  if (unknown === undefined) return;
  throw new ConfigError({ message: `broker.networks names "${unknown}", which the configuration has no section for.` });
}

/** Clients in a browser read no others beside the usual ones. */
const EXPOSED_HEADERS = [...Object.values(MESSAGE_HEADERS), 'retry-after'];

/** A transaction of a homeserver: a hundred events of 64 KiB, and what else comes with them. */
const TRANSACTION_BYTES = 16_000_000;

async function createApp(runtime: Runtime): Promise<NestFastifyApplication> {
  const { deliveryService, http } = runtime.settings;
  const { matrix } = runtime.networks;
  const bodyLimit = Math.max(requestLimit(deliveryService.sizeLimit), matrix ? TRANSACTION_BYTES : 0);
  const adapter = new FastifyAdapter({
    bodyLimit,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1_000 },
    trustProxy: http.trustedProxies,
    rewriteUrl: ({ url = '/' }) => (deliveryService.legacyLogin ? withoutLegacyPrefix(url) : url),
    requestTimeout: 60_000,
    // Taken out rather than refused: a homeserver brings a transaction again until it is taken, whatever is in it.
    onProtoPoisoning: 'remove',
    onConstructorPoisoning: 'remove',
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(runtime), adapter, {
    logger: false,
    abortOnError: false,
    cors: { origin: '*', methods: ['GET', 'POST', 'DELETE'], exposedHeaders: EXPOSED_HEADERS },
  });
  app.useGlobalFilters(new UnreadableBodyFilter(runtime.log));
  if (runtime.roles.has('api')) setUpDocs(app);
  else openOnly(app, pathsOf(runtime.roles));
  return app;
}

function setUpDocs(app: NestFastifyApplication): void {
  const description = 'dm3 delivery service and gateway';
  const document = new DocumentBuilder().setTitle('dm3-gateway').setDescription(description).build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, document));
}
