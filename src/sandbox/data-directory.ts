import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { GatewayError } from '../common/errors.js';
import { stopOrphanedPostgres } from './embedded-postgres.js';
import { stopOrphanedChain } from './local-chain.js';
import { removeData } from './postgres-place.js';

/** The sandbox's data directory, ours until `release` or until this process ends in whatever way. */
export interface DataDirectory {
  readonly path: string;
  /** For `startPostgres`. */
  readonly postgres: string;
  /** For `startChain`. */
  readonly chainState: string;
  /** For `startCapturedMail`. */
  readonly captured: string;
  release(): Promise<void>;
}

export class DataDirectoryInUseError extends GatewayError {
  constructor({ dir, pid }: { dir: string; pid: string }) {
    const message = `${dir} is in use by process ${pid}; stop that one or choose another data directory.`;
    super({ code: 'DATA_DIRECTORY_IN_USE', kind: 'unavailable', message, retryable: true, facts: { pid } });
  }
}

/**
 * Makes the directory if need be and takes exclusive use of it.
 * @throws DataDirectoryInUseError
 */
export async function openDataDirectory(dir: string): Promise<DataDirectory> {
  const root = path.resolve(dir);
  // PostgreSQL's account passes through when root starts it; nobody else has a reason to.
  fs.mkdirSync(root, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  const release = await hold(root);
  const below = (name: string) => path.join(root, name);
  return {
    path: root,
    postgres: below('postgres'),
    chainState: below('chain.json'),
    captured: below('captured'),
    release,
  };
}

/** Deletes everything in it, after stopping what a killed process may have left running there. */
export async function resetDataDirectory(directory: DataDirectory, log: (line: string) => void): Promise<void> {
  await stopOrphanedPostgres({ dataDir: directory.postgres, log });
  await stopOrphanedChain({ stateFile: directory.chainState });
  removeData(directory.postgres);
  for (const name of fs.readdirSync(directory.path)) {
    fs.rmSync(path.join(directory.path, name), { recursive: true, force: true });
  }
}

/**
 * The lock is a listening socket in Linux's abstract namespace (unix(7)), named after the directory's inode: the kernel
 * gives it to one process and frees it when that one dies. Whoever connects is told the holder's pid.
 */
async function hold(dir: string): Promise<() => Promise<void>> {
  const { dev, ino } = fs.statSync(dir);
  const name = `\0dm3-gateway/data-directory/${dev}/${ino}`;
  const server = net.createServer((socket) => socket.on('error', () => {}).end(String(process.pid)));
  try {
    server.listen(name);
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new DataDirectoryInUseError({ dir, pid: await holderOf(name) });
  }
  server.unref();
  return async () => {
    server.close();
    await once(server, 'close');
  };
}

async function holderOf(name: string): Promise<string> {
  const socket = net.connect(name).setTimeout(2000, () => socket.destroy());
  const pid = await text(socket).catch(() => '');
  return pid || '(unknown)';
}
