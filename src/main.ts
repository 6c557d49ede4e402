import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Logger } from 'pino';
import { AppModule, type Networks, type Runtime } from './app.module.js';
import { systemClock } from './common/clock.js';
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
import { countingLog, Metrics } from './ops/metrics.js';
import { Shutdown } from './ops/shutdown.js';
import { createSodiumProvider } from './protocol/crypto/sodium.js';
import { Database } from './storage/database.js';

/** A running gateway: the public application and the operator's one. */
export interface RunningGateway {
  readonly app: NestFastifyApplication;
  readonly adminApp: NestFastifyApplication;
  readonly runtime: Runtime;
  /** Resolves when nothing is under way any more. Readiness turns red first, and the doors close before the rest. */
  stop(): Promise<void>;
  /** What a stop under way has not done yet. */
  waitingFor(): readonly string[];
}

export async function createRuntime(
  settings: Settings,
  secrets: Secrets,
  networks: Networks,
  logger: Logger = createLogger({ level: settings.logLevel }),
): Promise<Runtime> {
  const metrics = new Metrics();
  const log = countingLog(createEventLog(logger), metrics);
  const crypto = await createSodiumProvider();
  return { settings, secrets, crypto, random: randomBytes, clock: systemClock, logger, log, metrics, networks };
}

/** Connects, migrates, opens the ports; resolves when everything answers. */
export async function startGateway(runtime: Runtime): Promise<RunningGateway> {
  const { settings, log } = runtime;
  const app = await createApp(runtime);
  await app.listen(settings.http.port, settings.http.host);
  const adminApp = await NestFactory.create<NestFastifyApplication>(
    AdminModule.forServices(app.get(Database), app.get(AdminService)),
    new FastifyAdapter({ routerOptions: { maxParamLength: 1_000 } }), // Message-IDs are long
    { logger: false },
  );
  await adminApp.listen(settings.admin.port, settings.admin.host);
  log.info('gateway.started', { port: settings.http.port });
  const shutdown = app.get(Shutdown);
  const apps = { http: app, admin: adminApp };
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
      await shutdown.wait(
        'rest',
        adminApp.close().then(() => app.close()),
      );
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

/** Clients in a browser read no others beside the usual ones. */
const EXPOSED_HEADERS = [...Object.values(MESSAGE_HEADERS), 'retry-after'];

async function createApp(runtime: Runtime): Promise<NestFastifyApplication> {
  const { deliveryService, http } = runtime.settings;
  const bodyLimit = requestLimit(deliveryService.sizeLimit);
  const adapter = new FastifyAdapter({
    bodyLimit,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1_000 },
    trustProxy: http.trustedProxies,
    rewriteUrl: ({ url = '/' }) => (deliveryService.legacyLogin ? withoutLegacyPrefix(url) : url),
    requestTimeout: 60_000,
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(runtime), adapter, {
    logger: false,
    abortOnError: false,
    cors: { origin: '*', methods: ['GET', 'POST', 'DELETE'], exposedHeaders: EXPOSED_HEADERS },
  });
  app.useGlobalFilters(new UnreadableBodyFilter(runtime.log));
  const description = 'dm3 delivery service and gateway';
  const document = new DocumentBuilder().setTitle('dm3-gateway').setDescription(description).build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, document));
  return app;
}
