import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DestinationStream } from 'pino';
import { emailConfigSchema, type EmailConfig, type EmailConfigInput } from '../../src/adapters/email/config.js';
import type { DnsResolver } from '../../src/adapters/email/dns.js';
import { matrixConfigSchema, type MatrixConfigInput } from '../../src/adapters/matrix/config.js';
import type { Networks } from '../../src/app.module.js';
import type { EnsName } from '../../src/common/ids.js';
import { coreSchema, type SettingsInput } from '../../src/config/settings.js';
import { dkimKey } from '../../src/config/secret-files.js';
import type { Secrets } from '../../src/config/secrets.js';
import { AccountService } from '../../src/delivery/accounts/account.service.js';
import { createRuntime, startGateway, type RunningGateway } from '../../src/main.js';
import { ccipUrl } from '../../src/naming/ccip-read/resolver-check.js';
import { ccipSigners } from '../../src/naming/ccip-read/signer-keys.js';
import { connectDeployer, type Deployer } from '../../src/naming/contracts/deploy.js';
import { createLogger } from '../../src/ops/event-log.js';
import type { CryptoProvider } from '../../src/protocol/crypto/provider.js';
import { createSodiumProvider } from '../../src/protocol/crypto/sodium.js';
import { toHex } from '../../src/protocol/encoding/hex.js';
import { startCapturedMail, type CapturedMail, type CapturedMessage } from '../../src/sandbox/captured-mail.js';
import { createPerson, type Person } from '../../src/sandbox/people.js';
import { freePort, LOOPBACK } from '../../src/sandbox/ports.js';
import { buildWorld, settle, type World } from '../../src/sandbox/world.js';
import type { PostgresConnection } from '../../src/sandbox/embedded-postgres.js';
import { Database, type DatabaseOptions } from '../../src/storage/database.js';
import { createTestSchema, type TestSchema } from './database.js';

export const ROOT = 'gateway.eth' as EnsName;
export const SERVICE = 'ds.gateway.eth' as EnsName;
export const DOMAIN = 'gateway.test';

/** What a suite may set differently. */
export interface TestGatewayOptions {
  readonly settings?: Partial<SettingsInput>;
  /** Another PostgreSQL than the run's. */
  readonly postgres?: PostgresConnection;
  /** What it does, also for networks that only tests know; everything by default. */
  readonly roles?: readonly string[];
  /** How the gateway itself reaches the run's chain, for suites that cut it off. */
  readonly rpcUrl?: string;
  /** How names are looked up. */
  readonly ens?: Partial<SettingsInput['ens']>;
  /** How names are answered. */
  readonly ccipRead?: Partial<SettingsInput['ccipRead']>;
  readonly email?: Partial<EmailConfigInput>;
  readonly dns?: DnsResolver;
  readonly matrix?: MatrixConfigInput;
  /** Of HTTP, where somebody has to know it before. */
  readonly httpPort?: number;
  /** Where they come from otherwise than out of thin air. */
  readonly secrets?: Secrets;
  /** Networks beside email. */
  readonly adapters?: NonNullable<Networks['others']>;
  /** Where log lines go, with their level; nowhere by default. */
  readonly log?: { readonly level: string; readonly destination: DestinationStream };
}

const noDns: DnsResolver = () => Promise.reject(Object.assign(new Error('no such record'), { code: 'ENOTFOUND' }));
const FAST_RETRY = { firstSeconds: 0.2, factor: 1.5, maxSeconds: 2 };

/**
 * The whole gateway in this process, over a schema and an ENS of its own on the run's PostgreSQL and chain, with
 * alice.eth and bob.eth signed up and outgoing mail captured.
 */
export class TestGateway {
  private constructor(
    readonly running: RunningGateway,
    readonly settings: SettingsInput,
    readonly world: World,
    readonly deployer: Deployer,
    readonly crypto: CryptoProvider,
    readonly alice: Person,
    readonly bob: Person,
    readonly smtpPort: number,
    readonly mailbox: CapturedMail,
    readonly email: EmailConfig,
    private readonly schema: TestSchema,
    private readonly home: string,
  ) {}

  static async create(options: TestGatewayOptions = {}): Promise<TestGateway> {
    const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-suite-'));
    const schema = await createTestSchema('gateway', options.postgres);
    const [httpPort, smtpPort, crypto] = [
      options.httpPort ?? (await freePort()),
      await freePort(),
      await createSodiumProvider(),
    ];
    const mailbox = await startCapturedMail({ dir: home, smtpPort: 0, httpPort: 0 });
    const secrets = options.secrets ?? freshSecrets();
    const deployer = await fundedDeployer();
    const alice = createPerson(crypto, { name: 'alice.eth' as EnsName, wallet: newWallet(), deliveryService: SERVICE });
    const bob = createPerson(crypto, { name: 'bob.eth' as EnsName, wallet: newWallet(), deliveryService: SERVICE });
    const url = `http://${LOOPBACK}:${httpPort}`;
    const world = await buildWorld(deployer, {
      chain: { rpcUrl: process.env['TEST_RPC_URL']!, chainId: Number(process.env['TEST_CHAIN_ID']) },
      rootName: ROOT,
      people: [alice, bob],
      ccipUrl: ccipUrl(url),
      ccipSigner: ccipSigners(crypto, secrets.rootSecret, 1).current,
      topLevelAliases: { email: `email.${ROOT}`, matrix: `matrix.${ROOT}` },
    });
    const settings: SettingsInput = {
      database: schema.options,
      http: { port: httpPort, publicUrl: url },
      admin: { port: await freePort() },
      ens: {
        rpcUrls: [options.rpcUrl ?? process.env['TEST_RPC_URL']!],
        chainId: Number(process.env['TEST_CHAIN_ID']),
        registry: world.registry,
        cacheSeconds: 1,
        negativeCacheSeconds: 1,
        balanceCacheSeconds: 1,
        allowPrivateFetch: true,
        ...options.ens,
      },
      names: { root: ROOT, aliasRegistry: world.aliasRegistry, aliasCacheSeconds: 1 },
      ccipRead: { resolvers: [world.offchainResolver], ...options.ccipRead },
      deliveryService: { name: SERVICE, signUp: { policy: 'open' } },
      delivery: { retry: { email: FAST_RETRY, dm3: FAST_RETRY, matrix: FAST_RETRY }, pollSeconds: 0.2 },
      shutdown: { readinessGraceSeconds: 0 },
      ...options.settings,
    };
    const email = emailConfigSchema.parse({
      domains: [DOMAIN],
      listen: { host: LOOPBACK, port: smtpPort },
      outgoing: { smartHost: mailbox.smtp },
      dkim: { selector: 'test', privateKey: dkimKey() },
      ...options.email,
    });
    const logger = createLogger(options.log ?? { level: 'silent' });
    const networks: Networks = {
      email: { config: email, dns: options.dns ?? noDns },
      matrix: options.matrix && { config: matrixConfigSchema.parse(options.matrix) },
      others: options.adapters ?? [],
    };
    const parsed = coreSchema.parse(settings);
    const withRoles = { ...parsed, roles: [...(options.roles ?? parsed.roles)] };
    const running = await startGateway(await createRuntime(withRoles, secrets, networks, logger));
    const accounts = running.app.get(AccountService);
    for (const { name, profile } of [alice, bob]) await accounts.submitProfile(name, profile);
    return new TestGateway(
      running,
      settings,
      world,
      deployer,
      crypto,
      alice,
      bob,
      smtpPort,
      mailbox,
      email,
      schema,
      home,
    );
  }

  get url(): string {
    return this.settings.http.publicUrl;
  }

  get deliveryServiceUrl(): string {
    return `${this.url}/ds`;
  }

  /** The operators' side. */
  get adminUrl(): string {
    return `http://${LOOPBACK}:${this.settings.admin!.port}/admin/v1`;
  }

  get db(): Database {
    return this.running.app.get(Database);
  }

  /** Somebody new with a name on the chain; `signUp` also opens a mailbox here. */
  async addPerson(name: string, options: { deliveryService?: string; signUp?: boolean } = {}): Promise<Person> {
    const deliveryService = (options.deliveryService ?? SERVICE) as EnsName;
    const person = createPerson(this.crypto, { name: name as EnsName, wallet: newWallet(), deliveryService });
    await settle(this.deployer, { registry: this.world.registry, resolver: this.world.plainResolver, person });
    if (options.signUp) await this.running.app.get(AccountService).submitProfile(person.name, person.profile);
    return person;
  }

  /** Mail that left, oldest first. */
  async sentMail(): Promise<CapturedMessage[]> {
    return (await (await fetch(this.mailbox.url)).json()) as CapturedMessage[];
  }

  /** The same service on another database, as an operator starts it anew. This one has been stopped (`running`). */
  async movedTo(database: DatabaseOptions): Promise<TestGateway> {
    const { secrets, networks, logger } = this.running.runtime;
    const settings = { ...this.settings, database };
    const running = await startGateway(await createRuntime(coreSchema.parse(settings), secrets, networks, logger));
    const { world, deployer, crypto, alice, bob, smtpPort, mailbox, email, schema, home } = this;
    const people = [alice, bob] as const;
    return new TestGateway(
      running,
      settings,
      world,
      deployer,
      crypto,
      ...people,
      smtpPort,
      mailbox,
      email,
      schema,
      home,
    );
  }

  async stop(): Promise<void> {
    await this.running.stop();
    await this.mailbox.stop();
    this.deployer.close();
    await this.schema.drop();
    rmSync(this.home, { recursive: true, force: true });
  }
}

const freshSecrets = (): Secrets => ({
  rootSecret: randomBytes(32),
  storageKeys: [{ id: 1, key: randomBytes(32) }],
});

const newWallet = () => toHex(randomBytes(32));

/** An account of the suite's own, so that suites on one chain do not count each other's transactions. */
export async function fundedDeployer(privateKey = newWallet()): Promise<Deployer> {
  const rpcUrl = process.env['TEST_RPC_URL']!;
  const deployer = connectDeployer({ rpcUrl, chainId: Number(process.env['TEST_CHAIN_ID']), privateKey });
  const body = {
    jsonrpc: '2.0',
    id: 1,
    method: 'anvil_setBalance',
    params: [deployer.address, '0x21e19e0c9bab2400000'],
  };
  await fetch(rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return deployer;
}
