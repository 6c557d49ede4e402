import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { GatewayError } from '../common/errors.js';
import { makePrivateDirectory, postgresAccount, type Account } from './postgres-account.js';
import { placeData, postgresPrograms, socketDirectory } from './postgres-place.js';
import { commandLine, onParentExit, signal, waitUntil, workingDirectory } from './processes.js';

export interface PostgresConnection {
  /** The directory of a unix socket, as pg and libpq take it. There is no TCP port. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface EmbeddedPostgres {
  readonly connection: PostgresConnection;
  /** True if it was still running from a process that was killed. */
  readonly takenOver: boolean;
  /** Ends sessions, writes everything out and waits for the end of the server. */
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** Ours alone: made on the first start, kept between starts. The caller sees to it that nobody else uses it. */
  readonly dataDir: string;
  /** One line for the person at the console. */
  readonly log: (line: string) => void;
}

export class PostgresFailedError extends GatewayError {
  constructor({ step, output, cause }: { step: string; output: string; cause?: unknown }) {
    const last = output.trim().split('\n').slice(-3).join(' ');
    super({
      code: 'POSTGRES_FAILED',
      kind: 'unavailable',
      message: `The embedded PostgreSQL did not ${step}: ${last}`,
      cause,
    });
  }
}

const PORT = 5432; // only names the socket file
const USER = 'dm3_gateway';
const DATABASE = 'postgres';
const START_PATIENCE_MS = 30_000;

/** After both were killed, the last backends may hold the shared memory a little longer than the server lived. */
const BLOCKED_PATIENCE_MS = 10_000;
const BLOCKED_PAUSE_MS = 200;
const BLOCKED = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/;

interface Server {
  readonly account: Account | null;
  readonly programs: string;
  readonly cluster: string;
  readonly logFile: string;
  readonly connection: PostgresConnection;
}

/**
 * Starts the PostgreSQL that npm installed, reachable through a unix socket with a password. Durable as shipped: fsync,
 * full page writes and data checksums are on. A server left behind by a killed process is taken over, or stopped first
 * when it does not answer.
 * @throws PostgresUnsupportedError, PostgresAccountError, PostgresPlaceError, PostgresSocketError, PostgresFailedError
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const server = prepare({ ...options, dataDir: path.resolve(options.dataDir) });
  await createCluster(server);
  const blockedUntil = Date.now() + BLOCKED_PATIENCE_MS;
  for (;;) {
    const orphan = postmaster(server.cluster);
    if (orphan !== null && (await accepts(server.connection))) return takeOver(server, orphan);
    if (orphan !== null) await pgCtlStop(server);
    const child = await launch(server);
    if (child !== null) return own(server, child);
    const output = fs.readFileSync(server.logFile, 'utf8');
    if (!BLOCKED.test(output) || Date.now() > blockedUntil) throw new PostgresFailedError({ step: 'start', output });
    await delay(BLOCKED_PAUSE_MS);
  }
}

/** Stops a server that a killed process left running in `dataDir`; does nothing if there is none. */
export async function stopOrphanedPostgres({ dataDir, log }: PostgresOptions): Promise<void> {
  const real = fs.existsSync(dataDir) ? fs.realpathSync(dataDir) : dataDir;
  if (postmaster(path.join(real, 'cluster')) !== null)
    await pgCtlStop(prepare({ dataDir: path.resolve(dataDir), log }));
}

function prepare({ dataDir, log }: PostgresOptions): Server {
  const account = postgresAccount(dataDir);
  const programs = path.join(postgresPrograms(account, log), 'bin');
  const home = placeData(dataDir, account, log);
  const host = socketDirectory(home, PORT, account);
  const password = readPassword(path.join(home, 'password'), account);
  const connection = { host, port: PORT, user: USER, password, database: DATABASE };
  return { account, programs, cluster: path.join(home, 'cluster'), logFile: path.join(home, 'server.log'), connection };
}

/** Made once; initdb reads it from this same file, so the account owns it. */
function readPassword(file: string, account: Account | null): string {
  if (!fs.existsSync(file)) {
    const unfinished = `${file}.new`;
    fs.rmSync(unfinished, { force: true });
    fs.writeFileSync(unfinished, randomBytes(24).toString('base64url'), { mode: 0o600, flush: true });
    if (account !== null) fs.chownSync(unfinished, account.uid, account.gid);
    fs.renameSync(unfinished, file);
  }
  return fs.readFileSync(file, 'utf8');
}

/** Into a folder of its own, then renamed: an initdb that was cut short leaves nothing that looks like a cluster. */
async function createCluster({ account, programs, cluster }: Server): Promise<void> {
  if (fs.existsSync(cluster)) return;
  const unfinished = `${cluster}.new`;
  fs.rmSync(unfinished, { recursive: true, force: true });
  makePrivateDirectory(unfinished, account);
  const args = ['-D', unfinished, `--username=${USER}`, `--pwfile=${path.join(cluster, '..', 'password')}`];
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const { code, output } = await run(account, path.join(programs, 'initdb'), [
    ...args,
    '--auth=scram-sha-256',
    ...locale,
  ]);
  if (code !== 0) throw new PostgresFailedError({ step: 'make its data directory', output });
  fs.renameSync(unfinished, cluster);
}

/** Pid of the server that runs in this cluster right now; a stale postmaster.pid may name some other program. */
function postmaster(cluster: string): number | null {
  const file = path.join(cluster, 'postmaster.pid');
  const pid = fs.existsSync(file) ? Number.parseInt(fs.readFileSync(file, 'utf8'), 10) : Number.NaN;
  const program = path.basename(commandLine(pid)?.[0] ?? '');
  return program === 'postgres' && workingDirectory(pid) === cluster ? pid : null;
}

/** Returns null if the server ended by itself; its log says why. */
async function launch(server: Server): Promise<ChildProcess | null> {
  const { account, programs, cluster, logFile, connection } = server;
  const logFd = fs.openSync(logFile, 'w', 0o600);
  const args = ['-D', cluster, '-k', connection.host, '-p', String(PORT), '-c', 'listen_addresses='];
  const options = { ...spawnOptions(account), stdio: ['ignore', logFd, logFd] as ['ignore', number, number] };
  const child = spawn(path.join(programs, 'postgres'), [...args, '-c', 'unix_socket_permissions=0700'], options);
  fs.closeSync(logFd);
  await spawned(child);
  const settled = await waitUntil(async () => hasEnded(child) || accepts(connection), START_PATIENCE_MS);
  if (settled && !hasEnded(child)) return child;
  child.kill('SIGQUIT');
  return null;
}

/** Detached: Ctrl-C goes to the whole process group, and the database must outlive whoever still writes to it. */
function spawnOptions(account: Account | null) {
  return { ...account, cwd: '/', env: { LC_ALL: 'C', TZ: 'UTC' }, detached: true };
}

async function spawned(child: ChildProcess): Promise<void> {
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new PostgresFailedError({ step: 'run on this machine', output: (cause as Error).message, cause });
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function accepts(connection: PostgresConnection): Promise<boolean> {
  const client = new Client({ ...connection, connectionTimeoutMillis: 2000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

function own({ connection }: Server, child: ChildProcess): EmbeddedPostgres {
  const forget = onParentExit(() => child.kill('SIGINT'));
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGINT'); // "fast shutdown"
    await ended;
    forget();
  };
  return { connection, takenOver: false, stop };
}

function takeOver(server: Server, pid: number): EmbeddedPostgres {
  const forget = onParentExit(() => signal(pid, 'SIGINT'));
  const stop = async () => {
    await pgCtlStop(server);
    forget();
  };
  return { connection: server.connection, takenOver: true, stop };
}

async function pgCtlStop({ account, programs, cluster }: Server): Promise<void> {
  const { code, output } = await run(account, path.join(programs, 'pg_ctl'), [
    '-D',
    cluster,
    '-m',
    'fast',
    '-w',
    'stop',
  ]);
  if (code !== 0 && postmaster(cluster) !== null) throw new PostgresFailedError({ step: 'stop', output });
}

async function run(
  account: Account | null,
  program: string,
  args: string[],
): Promise<{ code: number; output: string }> {
  const child = spawn(program, args, { ...spawnOptions(account), stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = Promise.all([once(child, 'exit'), text(child.stderr)]);
  await Promise.all([spawned(child), ended.catch(() => {})]);
  const [[code], output] = await ended;
  return { code, output };
}
