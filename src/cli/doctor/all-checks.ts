import { randomBytes } from 'node:crypto';
import { emailChecks } from '../../adapters/email/checks/email-checks.js';
import type { DnsResolver } from '../../adapters/email/dns.js';
import type { EmailConfig } from '../../adapters/email/config.js';
import { matrixChecks } from '../../adapters/matrix/checks/matrix-checks.js';
import type { MatrixConfig } from '../../adapters/matrix/config.js';
import { systemClock as clock } from '../../common/clock.js';
import type { EthAddress } from '../../common/ids.js';
import { secretChecks } from '../../ops/doctor/secret-checks.js';
import type { Secrets } from '../../config/secrets.js';
import type { Settings } from '../../config/settings.js';
import { OwnService } from '../../delivery/own-service.js';
import { serviceChecks } from '../../delivery/service-checks.js';
import { brokerChecks } from '../../gateway/remote/broker-checks.js';
import { openAliasRegistry } from '../../naming/alias/open-directory.js';
import { ChainReader } from '../../naming/chain-reader.js';
import { EnsClient } from '../../naming/ens-client.js';
import { normaliseName } from '../../naming/ens-name.js';
import { namingChecks } from '../../naming/naming-checks.js';
import { RpcEndpoints } from '../../naming/rpc/rpc-endpoints.js';
import { safeFetch } from '../../naming/safe-fetch.js';
import type { Check } from '../../ops/doctor/check.js';
import { createSodiumProvider } from '../../protocol/crypto/sodium.js';
import { fromUtf8 } from '../../protocol/encoding/utf8.js';
import { Sealer } from '../../storage/sealer.js';
import { storageChecks } from '../../storage/storage-checks.js';
import { withDatabase } from '../database-session.js';

export interface Subject {
  readonly settings: Settings;
  readonly secrets: Secrets;
  readonly email: EmailConfig | undefined;
  readonly matrix?: MatrixConfig | undefined;
  readonly resolver: DnsResolver;
}

/** Every part adds its own: a new network one line at the end. `close` frees the connections. */
export async function allChecks({ settings, secrets, email, matrix, resolver }: Subject) {
  const { ens, names, ccipRead, http, deliveryService, database, broker } = settings;
  const crypto = await createSodiumProvider();
  const endpoints = new RpcEndpoints(ens);
  const chainSettings = { ...ens, endpoints, allowPrivateFetch: ens.allowPrivateFetch };
  const registry = ens.registry as EthAddress;
  const ensClient = new EnsClient({ ...chainSettings, registry });
  const aliases = openAliasRegistry(settings, endpoints);
  const { rootSecret, storageKeys } = secrets;
  const { publicUrl } = http;
  const own = new OwnService(crypto, { rootSecret, name: deliveryService.name, publicUrl });
  const checks: Check[] = [
    ...secretChecks(settings.secrets),
    ...storageChecks({
      connect: (work) => withDatabase(database, work),
      keyIds: storageKeys.map(({ id }) => id),
      poolSize: database.poolSize,
      clock,
    }),
    ...namingChecks({
      crypto,
      clock,
      endpoints,
      chain: new ChainReader(chainSettings),
      registry,
      rootName: normaliseName(names.root),
      rootSecret,
      ccipRead: { ...ccipRead, resolvers: ccipRead.resolvers as readonly string[] as readonly EthAddress[] },
      publicUrl,
      aliases,
      configuredAliases: names.topLevelAliases,
    }),
    ...(broker
      ? brokerChecks({ broker, schema: database.schema, sealer: new Sealer(crypto, randomBytes, secrets) })
      : []),
    ...serviceChecks({ own, ens: ensClient, publicUrl, clock }),
    ...(email ? emailChecks({ config: email, resolver, clock, fetchText }) : []),
    ...(matrix ? matrixChecks(matrix) : []),
  ];
  const close = () => {
    aliases?.close();
    endpoints.close();
  };
  return { checks, close };
}

async function fetchText(url: string): Promise<string | null> {
  try {
    const { status, body } = await safeFetch(url, { allowPrivate: false });
    return status === 200 ? fromUtf8(body) : null;
  } catch {
    return null;
  }
}
