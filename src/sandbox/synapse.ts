import { spawn, type ChildProcess } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { GatewayError } from '../common/errors.js';
import { LOOPBACK } from './ports.js';
import { commandLine, onParentExit, signal, waitUntil } from './processes.js';
import { installSynapse } from './synapse-install.js';

export interface SynapseOptions {
  /** Its configuration, database and media; kept between starts. */
  readonly dir: string;
  readonly port: number;
  readonly serverName: string;
  /** Registration files of application services. */
  readonly registrations: readonly string[];
  /** Synapse's own limits make a test wait; `raised` takes them away. */
  readonly rateLimits?: 'raised' | 'default';
  readonly maxUploadBytes?: number;
  readonly log: (line: string) => void;
}

/** A homeserver on this machine, federating with nobody. */
export interface Synapse {
  readonly url: string;
  readonly serverName: string;
  /** Makes the account, or leaves the one that is there. @returns its Matrix id */
  addUser(name: string, password: string): Promise<string>;
  /** @param name of the signal: SIGKILL for a crash */
  stop(name?: NodeJS.Signals): Promise<void>;
}

export class SynapseFailedError extends GatewayError {
  constructor({ output }: { output: string }) {
    const message = `Synapse did not start: ${output.trim().split('\n').slice(-5).join(' | ')}`;
    super({ code: 'SYNAPSE_FAILED', kind: 'unavailable', message, retryable: true });
  }
}

const START_PATIENCE_MS = 120_000;
const STOP_PATIENCE_MS = 15_000;
const SHARED_SECRET = 'synapse-shared-secret';

/** Starts one, or goes on from what is in `dir`. @throws SynapseNotInstalledError, SynapseFailedError */
export async function startSynapse(options: SynapseOptions): Promise<Synapse> {
  const python = await installSynapse(options.log);
  const { dir, port, serverName } = options;
  fs.mkdirSync(dir, { recursive: true });
  await stopOrphan(dir);
  const config = writeConfiguration(options);
  const output = path.join(dir, 'synapse.out');
  const child = launch(python, config, output);
  const forget = onParentExit(() => child.kill('SIGKILL'));
  const url = `http://${LOOPBACK}:${port}`;
  const settled = await waitUntil(async () => hasEnded(child) || (await isHealthy(url)), START_PATIENCE_MS);
  if (!settled || hasEnded(child)) {
    child.kill('SIGKILL');
    throw new SynapseFailedError({ output: fs.readFileSync(output, 'utf8') });
  }
  return {
    url,
    serverName,
    addUser: (name, password) => addUser(url, { name, password, serverName }),
    stop: async (name = 'SIGTERM') => {
      await end(child, name);
      forget();
    },
  };
}

function launch(python: string, config: string, output: string): ChildProcess {
  const fd = fs.openSync(output, 'w', 0o600);
  // Detached: Ctrl-C goes to the whole process group, and the gateway stops first.
  const args = ['-m', 'synapse.app.homeserver', '-c', config];
  const child = spawn(python, args, { cwd: path.dirname(config), stdio: ['ignore', fd, fd], detached: true });
  fs.closeSync(fd);
  child.on('error', () => undefined); // seen as an end
  return child;
}

const hasEnded = (child: ChildProcess) =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null;

async function isHealthy(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
  return answer?.ok ?? false;
}

async function end(child: ChildProcess, name: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill(name);
  if (!(await waitUntil(() => hasEnded(child), STOP_PATIENCE_MS))) child.kill('SIGKILL');
  await ended;
}

/** One that a killed process left running. */
async function stopOrphan(dir: string): Promise<void> {
  const file = path.join(dir, 'homeserver.pid');
  if (!fs.existsSync(file)) return;
  const pid = Number(fs.readFileSync(file, 'utf8'));
  const runs = () => commandLine(pid)?.includes(configOf(dir)) ?? false;
  if (runs()) signal(pid, 'SIGTERM');
  if (!(await waitUntil(() => !runs(), STOP_PATIENCE_MS))) signal(pid, 'SIGKILL');
  fs.rmSync(file, { force: true });
}

const configOf = (dir: string) => path.join(path.resolve(dir), 'homeserver.yaml');

function writeConfiguration(options: SynapseOptions): string {
  const dir = path.resolve(options.dir);
  const key = path.join(dir, 'signing.key');
  if (!fs.existsSync(key)) {
    const seed = randomBytes(32).toString('base64').replace(/=+$/, '');
    fs.writeFileSync(key, `ed25519 a_1 ${seed}\n`, { mode: 0o600 });
  }
  write(path.join(dir, 'log.yaml'), logging(path.join(dir, 'homeserver.log')));
  write(configOf(dir), homeserver(dir, key, options));
  return configOf(dir);
}

/** JSON is YAML. */
function write(file: string, value: unknown): void {
  fs.writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
}

function logging(filename: string) {
  return {
    version: 1,
    formatters: { plain: { format: '%(asctime)s %(levelname)s %(name)s %(message)s' } },
    handlers: { file: { class: 'logging.FileHandler', formatter: 'plain', filename } },
    root: { level: 'WARNING', handlers: ['file'] },
    disable_existing_loggers: false,
  };
}

function homeserver(dir: string, signingKey: string, options: SynapseOptions) {
  const { port, serverName, registrations, maxUploadBytes = 10_485_760, rateLimits = 'raised' } = options;
  return {
    server_name: serverName,
    public_baseurl: `http://${LOOPBACK}:${port}/`,
    pid_file: path.join(dir, 'homeserver.pid'),
    signing_key_path: signingKey,
    log_config: path.join(dir, 'log.yaml'),
    media_store_path: path.join(dir, 'media'),
    macaroon_secret_key: SHARED_SECRET,
    form_secret: SHARED_SECRET,
    registration_shared_secret: SHARED_SECRET,
    report_stats: false,
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    enable_registration: false,
    federation_domain_whitelist: [],
    bcrypt_rounds: 4,
    presence: { enabled: false },
    url_preview_enabled: false,
    caches: { sync_response_cache_duration: '0s' }, // else a first sync is answered by an older one for two minutes
    max_upload_size: maxUploadBytes,
    database: { name: 'sqlite3', args: { database: path.join(dir, 'homeserver.db') } },
    listeners: [
      {
        port,
        bind_addresses: [LOOPBACK],
        type: 'http',
        tls: false,
        resources: [{ names: ['client', 'health'], compress: false }],
      },
    ],
    app_service_config_files: registrations.map((file) => path.resolve(file)),
    ...(rateLimits === 'raised' ? RAISED : {}),
  };
}

const rc = { per_second: 100_000, burst_count: 100_000 };
const RAISED = {
  rc_message: rc,
  rc_registration: rc,
  rc_login: { address: rc, account: rc, failed_attempts: rc },
  rc_joins: { local: rc, remote: rc },
  rc_joins_per_room: rc,
  rc_invites: { per_room: rc, per_user: rc, per_issuer: rc },
  rc_admin_redaction: rc,
  rc_3pid_validation: rc,
  rc_room_creation: rc,
  rc_presence: { per_user: rc },
  rc_media_create: rc,
  rc_user_directory: rc,
};

/** By the shared secret (Synapse: admin API for registering users). */
async function addUser(url: string, user: { name: string; password: string; serverName: string }): Promise<string> {
  const { name: username, password, serverName } = user;
  const endpoint = `${url}/_synapse/admin/v1/register`;
  const { nonce } = (await (await fetch(endpoint)).json()) as { nonce: string };
  const fields = [nonce, username, password, 'notadmin'].join('\0');
  const mac = createHmac('sha1', SHARED_SECRET).update(fields).digest('hex');
  const body = JSON.stringify({ nonce, username, password, admin: false, mac });
  const answer = await fetch(endpoint, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { errcode } = (await answer.json()) as { errcode?: string };
  if (!answer.ok && errcode !== 'M_USER_IN_USE') throw new SynapseFailedError({ output: `register: ${errcode}` });
  return `@${username}:${serverName}`;
}
