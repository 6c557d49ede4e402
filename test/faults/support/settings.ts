import type { EmailConfigInput } from '../../../src/adapters/email/config.js';
import type { SettingsInput } from '../../../src/config/settings.js';
import { LOOPBACK } from '../../../src/sandbox/ports.js';
import type { World } from '../../../src/sandbox/world.js';
import type { DatabaseOptions } from '../../../src/storage/database.js';
import { DOMAIN, ROOT, SERVICE } from '../../support/test-gateway.js';
import type { Peer } from './peers.js';

const FAST_RETRY = { firstSeconds: 0.1, factor: 1.5, maxSeconds: 0.5 };

/** The service's configuration: every peer by its link, and little patience, so that what fails is noticed soon. */
export function settingsOf(setting: {
  database: DatabaseOptions;
  peers: Readonly<Record<'postgres' | 'chain' | 'mail', Peer>>;
  ports: Readonly<Record<'http' | 'admin' | 'smtp', number>>;
  world: World;
}): SettingsInput & { email: EmailConfigInput } {
  const { database, peers, ports, world } = setting;
  const at = ({ link }: Peer) => ({ host: LOOPBACK, port: link.port });
  return {
    database: { ...database, ...at(peers.postgres), connectSeconds: 5, statementSeconds: 3 },
    http: { port: ports.http, publicUrl: `http://${LOOPBACK}:${ports.http}` },
    admin: { port: ports.admin },
    ens: {
      rpcUrls: [`http://${LOOPBACK}:${peers.chain.link.port}`],
      chainId: Number(process.env['TEST_CHAIN_ID']),
      registry: world.registry,
      timeoutMs: 2_000,
      cacheSeconds: 1,
      negativeCacheSeconds: 1,
      balanceCacheSeconds: 1,
      allowPrivateFetch: true,
    },
    names: { root: ROOT, aliasRegistry: world.aliasRegistry, aliasCacheSeconds: 1 },
    ccipRead: { resolvers: [world.offchainResolver] },
    deliveryService: { name: SERVICE, signUp: { policy: 'open' } },
    delivery: {
      retry: { email: FAST_RETRY, dm3: FAST_RETRY, fake: FAST_RETRY },
      leaseSeconds: 1,
      pollSeconds: 0.1,
    },
    logLevel: 'warn',
    email: {
      domains: [DOMAIN],
      listen: { host: LOOPBACK, port: ports.smtp },
      outgoing: { smartHost: at(peers.mail), timeoutSeconds: 2 },
    },
  };
}
