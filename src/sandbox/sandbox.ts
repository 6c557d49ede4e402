import fs from 'node:fs';
import path from 'node:path';
import { emailConfigSchema, type EmailConfig } from '../adapters/email/config.js';
import { hostnameOf, recordsOf } from '../adapters/email/dns-records.js';
import type { DnsResolver, DnsZone } from '../adapters/email/dns.js';
import { matrixConfigSchema, type MatrixConfig } from '../adapters/matrix/config.js';
import type { Environment } from '../config/env.js';
import { parseSettings, readConfigTree } from '../config/load.js';
import { backupMarkOf } from '../ops/doctor/secret-checks.js';
import { loadSecrets, type Secrets } from '../config/secrets.js';
import { coreSettings, type Settings, type SettingsInput } from '../config/settings.js';
import { AccountService } from '../delivery/accounts/account.service.js';
import { BASE_PATH } from '../delivery/own-service.js';
import { adminTokenStore } from '../gateway/admin/admin-token.store.js';
import { createRuntime, startGateway, type RunningGateway } from '../main.js';
import { ccipUrl } from '../naming/ccip-read/resolver-check.js';
import { ccipSigners } from '../naming/ccip-read/signer-keys.js';
import { createLogger } from '../ops/event-log.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { Database } from '../storage/database.js';
import { startCapturedMail, type CapturedMail } from './captured-mail.js';
import { openDataDirectory, resetDataDirectory, type DataDirectory } from './data-directory.js';
import { startPostgres, type EmbeddedPostgres } from './embedded-postgres.js';
import { startChain, stopOrphanedChain, type LocalChain } from './local-chain.js';
import { startMatrixSide, type MatrixSide, type SandboxMatrix } from './matrix-side.js';
import { MAIL_DOMAIN, ROOT_NAME, SERVICE_NAME } from './names.js';
import { sandboxPeople, type Person } from './people.js';
import { choosePorts, CLOSING_PATIENCE_MS, LOOPBACK, type SandboxPorts } from './ports.js';
import { settleSecrets, type SecretFiles } from '../config/secret-files.js';
import { settleWorld, type World } from './world.js';

const ALIASES = { email: `email.${ROOT_NAME}` };
const CHAIN_ID = 31337;
const DKIM_SELECTOR = 'sandbox';

export interface SandboxOptions {
  readonly dataDir: string;
  readonly portBase: number;
  readonly reset: boolean;
  /** Also a Matrix homeserver, which needs Python. */
  readonly matrix?: boolean;
  readonly env: Environment;
  /** One line for the person at the console. */
  readonly say: (line: string) => void;
}

/** `sandbox.json`: how other programs drive the sandbox. A contract: members are added, never changed. */
export interface SandboxFile {
  readonly ready: true;
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly ensRegistry: string;
  readonly rootName: string;
  readonly topLevelAliases: Readonly<Record<string, string>>;
  readonly aliasRegistry: string;
  readonly deliveryService: { readonly name: string; readonly url: string };
  readonly http: { readonly url: string };
  readonly smtp: { readonly host: string; readonly port: number; readonly domain: string };
  readonly capturedMail: { readonly url: string };
  readonly admin: { readonly url: string; readonly token: string };
  /** Only with --matrix. */
  readonly matrix?: SandboxMatrix;
  readonly users: readonly { readonly name: string; readonly address: string; readonly walletPrivateKey: string }[];
  readonly pid: number;
}

export interface Sandbox {
  readonly file: SandboxFile;
  readonly filePath: string;
  stop(): Promise<void>;
}

/** What runs beside the gateway; stopped in reverse order of starting, whatever happened in between. */
class Helpers {
  readonly #stops: (() => Promise<void>)[] = [];

  add(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  /** What starts is stopped with the others. */
  async keep<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
    const started = await starting;
    this.add(() => started.stop());
    return started;
  }

  async stop(): Promise<void> {
    const failures: unknown[] = [];
    for (const stop of this.#stops.splice(0).reverse()) await stop().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}

/**
 * The whole world in one process and its children: PostgreSQL, a chain with ENS, a capture mailbox, the gateway.
 * @throws DataDirectoryInUseError, PortBusyError, PostgresFailedError, ChainFailedError
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const helpers = new Helpers();
  try {
    return await start(options, helpers);
  } catch (error) {
    await helpers.stop().catch(() => undefined);
    throw error;
  }
}

async function start(options: SandboxOptions, helpers: Helpers): Promise<Sandbox> {
  const { say } = options;
  const directory = await openDataDirectory(options.dataDir);
  helpers.add(() => directory.release());
  fs.rmSync(fileOf(directory), { force: true }); // of a sandbox that was killed: whoever waits for it must not see it
  const orphan = await stopOrphanedChain({ stateFile: directory.chainState }); // it holds one of the ports
  if (options.reset) await resetDataDirectory(directory, say);
  const ports = await choosePorts({ base: options.portBase, patienceMs: orphan ? CLOSING_PATIENCE_MS : 0 });
  say('Starting PostgreSQL and a local Ethereum chain...');
  const { postgres, chain, capturedMail } = await startHelpers(directory, ports, helpers, say);
  const files = settleSecrets(path.join(directory.path, 'secrets'));
  fs.writeFileSync(backupMarkOf(files.rootSecretFile), ''); // nothing here outlives the sandbox
  const secrets = loadSecrets(files, options.env);
  const crypto = await createSodiumProvider();
  const people = sandboxPeople(crypto, SERVICE_NAME);
  const matrix = options.matrix ? await helpers.keep(matrixSide(directory, ports, say)) : undefined;
  say('Setting up ENS...');
  const world = await worldOf({ directory, chain, ports, crypto, people, secrets });
  const tree = settingsTree({ ports, postgres, chain, world, files, capturedMail, people, matrix });
  writeConfiguration(directory, tree);
  say('Starting the gateway...');
  const gateway = await runGateway(tree, secrets, options);
  helpers.add(() => gateway.stop());
  await welcome(gateway, people, files.adminToken);
  const file = describe({ chain, world, ports, capturedMail, people, matrix, token: files.adminToken });
  const filePath = publish(directory, file);
  helpers.add(async () => fs.rmSync(filePath, { force: true }));
  return { file, filePath, stop: () => helpers.stop() };
}

/** Its port follows the others. */
function matrixSide(
  { path: dir }: DataDirectory,
  ports: SandboxPorts,
  log: SandboxOptions['say'],
): Promise<MatrixSide> {
  const port = Math.max(...Object.values(ports)) + 1;
  return startMatrixSide({ dir: path.join(dir, 'matrix'), port, gatewayUrl: `http://${LOOPBACK}:${ports.http}`, log });
}

async function startHelpers(
  directory: DataDirectory,
  ports: SandboxPorts,
  helpers: Helpers,
  log: SandboxOptions['say'],
) {
  const postgres = helpers.keep(startPostgres({ dataDir: directory.postgres, log }));
  const chain = helpers.keep(
    startChain({ stateFile: directory.chainState, port: ports.chain, chainId: CHAIN_ID, log }),
  );
  const mailbox = { dir: directory.captured, smtpPort: ports.capturedSmtp, httpPort: ports.capturedMail };
  const capturedMail = helpers.keep(startCapturedMail(mailbox));
  await Promise.allSettled([postgres, chain, capturedMail]); // so that what did start is known when another fails
  return { postgres: await postgres, chain: await chain, capturedMail: await capturedMail };
}

function worldOf(parts: {
  directory: DataDirectory;
  chain: LocalChain;
  ports: SandboxPorts;
  crypto: CryptoProvider;
  people: readonly Person[];
  secrets: Secrets;
}): Promise<World> {
  const { directory, chain, ports, crypto, people, secrets } = parts;
  return settleWorld(path.join(directory.path, 'world.json'), {
    chain,
    people,
    rootName: ROOT_NAME,
    ccipUrl: ccipUrl(`http://${LOOPBACK}:${ports.http}`),
    ccipSigner: ccipSigners(crypto, secrets.rootSecret, 1).current,
    topLevelAliases: ALIASES,
  });
}

type SettingsTree = SettingsInput & { email: Record<string, unknown>; matrix?: MatrixSide['section'] };

function settingsTree(parts: {
  ports: SandboxPorts;
  postgres: EmbeddedPostgres;
  chain: LocalChain;
  world: World;
  files: SecretFiles;
  capturedMail: CapturedMail;
  people: readonly Person[];
  matrix: MatrixSide | undefined;
}): SettingsTree {
  const { ports, postgres, chain, world, files, capturedMail, people, matrix } = parts;
  return {
    database: { ...postgres.connection },
    http: { port: ports.http, publicUrl: `http://${LOOPBACK}:${ports.http}` },
    admin: { port: ports.admin },
    ens: {
      rpcUrls: [chain.rpcUrl],
      chainId: chain.chainId,
      registry: world.registry,
      cacheSeconds: 5,
      negativeCacheSeconds: 1,
      allowPrivateFetch: true,
    },
    names: { root: ROOT_NAME, aliasRegistry: world.aliasRegistry, aliasCacheSeconds: 5 },
    subdomains: { enabled: true },
    links: { enabled: true },
    ccipRead: { resolvers: [world.offchainResolver] },
    deliveryService: { name: SERVICE_NAME, signUp: { policy: 'open' } },
    delivery: { retry: { email: { firstSeconds: 2, factor: 2, maxSeconds: 60 } } },
    shutdown: { readinessGraceSeconds: 0 }, // no load balancer looks at it
    attachments: { enabled: true },
    logLevel: 'warn',
    email: {
      domains: [MAIL_DOMAIN],
      listen: { host: LOOPBACK, port: ports.smtp },
      outgoing: { smartHost: capturedMail.smtp, port: ports.smtp }, // the port is where the doctor finds us
      dkim: { selector: DKIM_SELECTOR, privateKeyFile: files.dkimKeyFile },
      operator: people[0]!.name,
    },
    ...(matrix && { matrix: matrix.section }),
    secrets: { rootSecretFile: files.rootSecretFile, storageKeysFile: files.storageKeysFile },
  };
}

/** What an operator would have published, for `dm3-gateway doctor`: all of it points to this machine. */
function standInZone(email: EmailConfig): DnsZone {
  const host = hostnameOf(email);
  const zone: Record<string, Record<string, unknown[]>> = { [host]: { A: [LOOPBACK] } };
  for (const { name, type, value } of email.domains.flatMap((domain) => recordsOf(email, domain))) {
    const record = type === 'MX' ? { exchange: host, priority: 10 } : [value];
    ((zone[name] ??= {})[type] ??= []).push(record);
  }
  return zone;
}

/** So that the operator's commands can be tried here; they hold a password, so nobody else reads them. */
function writeConfiguration(directory: DataDirectory, tree: SettingsTree): void {
  const write = (name: string, value: unknown) =>
    fs.writeFileSync(path.join(directory.path, name), `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  write('gateway.yaml', tree); // JSON is YAML
  write('dns-zone.json', standInZone(emailConfigSchema.parse(tree.email)));
}

/** The sandbox talks to nobody outside: every DNS question has no answer. */
const noDns: DnsResolver = (name) =>
  Promise.reject(Object.assign(new Error(`no DNS in the sandbox: ${name}`), { code: 'ENOTFOUND' }));

async function runGateway(
  tree: SettingsTree,
  secrets: Secrets,
  { env, dataDir }: SandboxOptions,
): Promise<RunningGateway> {
  const sections = { ...coreSettings, email: emailConfigSchema, matrix: matrixConfigSchema.optional() };
  const merged = readConfigTree({ text: JSON.stringify(tree), env });
  const { email, matrix, ...settings } = parseSettings(merged, sections) as Settings & {
    email: EmailConfig;
    matrix?: MatrixConfig;
  };
  const networks = { email: { config: email, dns: noDns }, ...(matrix && { matrix: { config: matrix } }) };
  const logFile = path.join(dataDir, 'gateway.log');
  const logger = createLogger({ level: settings.logLevel, destination: fs.createWriteStream(logFile, { flags: 'a' }) });
  return startGateway(await createRuntime(settings, secrets, networks, logger));
}

/** Opens the people's mailboxes and lets the operator in. */
async function welcome({ app }: RunningGateway, people: readonly Person[], token: string): Promise<void> {
  const accounts = app.get(AccountService);
  for (const { name, profile } of people) await accounts.submitProfile(name, profile);
  await adminTokenStore.add(app.get(Database), token, ['read', 'act']);
}

function describe(parts: {
  chain: LocalChain;
  world: World;
  ports: SandboxPorts;
  capturedMail: CapturedMail;
  people: readonly Person[];
  matrix: MatrixSide | undefined;
  token: string;
}): SandboxFile {
  const { chain, world, ports, capturedMail, people, matrix, token } = parts;
  const url = `http://${LOOPBACK}:${ports.http}`;
  return {
    ready: true,
    rpcUrl: chain.rpcUrl,
    chainId: chain.chainId,
    ensRegistry: world.registry,
    rootName: ROOT_NAME,
    topLevelAliases: ALIASES,
    aliasRegistry: world.aliasRegistry,
    deliveryService: { name: SERVICE_NAME, url: `${url}${BASE_PATH}` },
    http: { url },
    smtp: { host: LOOPBACK, port: ports.smtp, domain: MAIL_DOMAIN },
    capturedMail: { url: capturedMail.url },
    admin: { url: `http://${LOOPBACK}:${ports.admin}`, token },
    ...(matrix && { matrix: matrix.file }),
    users: people.map(({ name, address, walletPrivateKey }) => ({ name, address, walletPrivateKey })),
    pid: process.pid,
  };
}

const fileOf = (directory: DataDirectory) => path.join(directory.path, 'sandbox.json');

/** Written whole or not at all: whoever waits for the file reads it the moment it appears. */
function publish(directory: DataDirectory, file: SandboxFile): string {
  const filePath = fileOf(directory);
  const temporary = `${filePath}.new`;
  fs.writeFileSync(temporary, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  fs.renameSync(temporary, filePath);
  return filePath;
}
