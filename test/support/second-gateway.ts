import { createRuntime, startGateway, type RunningGateway } from '../../src/main.js';
import { freePort, LOOPBACK } from '../../src/sandbox/ports.js';
import type { TestGateway } from './test-gateway.js';

/** Another machine of the same service: the same database, keys and settings, other ports. It serves dm3 only. */
export async function startSecondGateway(
  first: TestGateway,
  deliveryService: { sessionSeconds?: number } = {},
): Promise<RunningGateway & { url: string }> {
  const { settings, secrets, logger } = first.running.runtime;
  const port = await freePort();
  const second = {
    ...settings,
    http: { ...settings.http, port },
    admin: { ...settings.admin, port: await freePort() },
    deliveryService: { ...settings.deliveryService, ...deliveryService },
  };
  const running = await startGateway(await createRuntime(second, secrets, {}, logger));
  return { ...running, url: `http://${LOOPBACK}:${port}` };
}
