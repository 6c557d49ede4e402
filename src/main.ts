import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Logger } from 'pino';
import { AppModule, type Networks, type Runtime } from './app.module.js';
import { systemClock } from './common/clock.js';
import type { Secrets } from './config/secrets.js';
import type { Settings } from './config/settings.js';
import { UnreadableBodyFilter } from './delivery/api/unreadable-body.filter.js';
import { AdminModule } from './gateway/admin/admin.module.js';
import { AdminService } from './gateway/admin/admin.service.js';
import { createEventLog, createLogger } from './ops/event-log.js';
import { countingLog, Metrics } from './ops/metrics.js';
import { createSodiumProvider } from './protocol/crypto/sodium.js';
import { Database } from './storage/database.js';

/** A running gateway: the public application and the operator's one. */
export interface RunningGateway {
  readonly app: NestFastifyApplication;
  readonly adminApp: NestFastifyApplication;
  readonly runtime: Runtime;
  stop(): Promise<void>;
}

/** Envelopes travel as JSON text inside JSON: quotes and backslashes double. */
const BODY_OVERHEAD = 2;

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
    new FastifyAdapter(),
    { logger: false },
  );
  await adminApp.listen(settings.admin.port, settings.admin.host);
  log.info('gateway.started', { port: settings.http.port });
  return {
    app,
    adminApp,
    runtime,
    stop: async () => {
      await adminApp.close();
      await app.close();
      log.info('gateway.stopped');
    },
  };
}

async function createApp(runtime: Runtime): Promise<NestFastifyApplication> {
  const bodyLimit = runtime.settings.deliveryService.sizeLimit * BODY_OVERHEAD + 100_000;
  const adapter = new FastifyAdapter({
    bodyLimit,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1_000 },
    requestTimeout: 60_000,
    forceCloseConnections: true,
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(runtime), adapter, {
    logger: false,
    abortOnError: false,
    cors: { origin: '*', methods: ['GET', 'POST', 'DELETE'] },
  });
  app.useGlobalFilters(new UnreadableBodyFilter(runtime.log));
  const description = 'dm3 delivery service and gateway';
  const document = new DocumentBuilder().setTitle('dm3-gateway').setDescription(description).build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, document));
  return app;
}
