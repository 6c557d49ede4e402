import { afterAll, beforeAll } from '@jest/globals';
import type { SynapseOptions } from '../../src/sandbox/synapse.js';
import type { MatrixConfigInput } from '../../src/adapters/matrix/config.js';
import { RealClient } from './dm3-lib.js';
import type { MatrixUser } from './matrix-user.js';
import { SYNAPSE_PATIENCE_MS, SynapseWorld } from './synapse.js';
import { TestGateway, type TestGatewayOptions } from './test-gateway.js';

/** The ghost of bob.eth. */
export const BOB = '@dm3_bob.eth:hs.test';

/** A Synapse, a gateway and bob.eth with a real client, for one suite. */
export interface MatrixWorld {
  synapse: SynapseWorld;
  gateway: TestGateway;
  bob: RealClient;
  /** Somebody who has never written to anybody. */
  somebody(): Promise<MatrixUser>;
}

interface Options {
  readonly synapse?: Partial<SynapseOptions>;
  readonly matrix?: Partial<MatrixConfigInput>;
  readonly gateway?: Partial<TestGatewayOptions>;
}

/** Set up before the suite's tests, taken down after them. */
export function matrixWorld(options: Options = {}): MatrixWorld {
  let users = 0;
  const world = { somebody: () => world.synapse.user(`user${++users}`) } as MatrixWorld;
  beforeAll(async () => {
    world.synapse = await SynapseWorld.start(options.synapse);
    world.gateway = await TestGateway.create({
      httpPort: world.synapse.gatewayPort,
      matrix: { ...world.synapse.config, ...options.matrix },
      ...options.gateway,
    });
    world.bob = await RealClient.create(world.gateway, world.gateway.bob);
  }, SYNAPSE_PATIENCE_MS);
  afterAll(async () => {
    await world.gateway?.stop();
    await world.synapse?.stop();
  });
  return world;
}

/** `@alice:hs.test` -> `alice._at.hs.test.matrix.gateway.eth` */
export function aliasOf(user: MatrixUser): string {
  return `${user.id.slice(1, user.id.indexOf(':'))}._at.hs.test.matrix.gateway.eth`;
}
