import { NestApplication } from '@nestjs/core';

const nothing = async (): Promise<void> => {};

/**
 * Nest loads its whole microservices package into every application where it is installed, for handlers that are found
 * by decorators. We use two classes of it, by ourselves, where a broker is configured; nobody else pays for them
 * (test/roles.e2e-spec.ts would notice if these steps of Nest were called otherwise one day).
 */
export function leaveOutMicroservices(): void {
  Object.assign(NestApplication.prototype, { preloadLazyPackages: nothing, loadMicroservicesModule: nothing });
}
