import { generateKeyPairSync, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { ConfigError } from './errors.js';

export interface SecretFiles {
  readonly rootSecretFile: string;
  readonly storageKeysFile: string;
  readonly dkimKeyFile: string;
  readonly adminToken: string;
}

/** A sealed value has one octet for it. */
const MAX_KEY_ID = 255;

const hex32 = () => randomBytes(32).toString('hex');

/** Makes what is missing in `dir` (0700, files 0600) and keeps what is there. */
export function settleSecrets(dir: string): SecretFiles {
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const keep = (name: string, make: () => string) => {
    const file = path.join(dir, name);
    if (!fs.existsSync(file)) fs.writeFileSync(file, `${make().trim()}\n`, { mode: 0o600 });
    return file;
  };
  return {
    rootSecretFile: keep('root-secret', hex32),
    storageKeysFile: keep('storage-keys', () => `1:${hex32()}`),
    dkimKeyFile: keep('dkim.pem', dkimKey),
    adminToken: fs.readFileSync(keep('admin-token', hex32), 'utf8').trim(),
  };
}

/**
 * Puts a fresh storage key before the others, so that it seals from now on. The file is replaced whole: a SIGKILL
 * leaves the old one or the new one. Two at a time could lose a key; the caller holds a lock.
 * @param ids those in use
 * @returns the new key's id
 * @throws ConfigError
 */
export function addStorageKey(file: string, ids: readonly number[]): number {
  const id = Math.max(...ids) + 1;
  if (id > MAX_KEY_ID)
    throw new ConfigError({ message: `${file} is full: storage keys are numbered up to ${MAX_KEY_ID}.` });
  try {
    replaceFile(fs.realpathSync(file), (text) => `${id}:${hex32()}\n${text}`);
  } catch (cause) {
    throw new ConfigError({ message: `Cannot put a new key into ${file}: ${(cause as Error).message}.`, cause });
  }
  return id;
}

/** Keeps owner and mode, since whoever runs this need not be whoever reads the file. */
function replaceFile(file: string, change: (text: string) => string): void {
  const { uid, gid, mode } = fs.statSync(file);
  const temporary = `${file}.new`;
  fs.rmSync(temporary, { force: true }); // of a run that was killed: nothing of it was in use yet
  fs.writeFileSync(temporary, change(fs.readFileSync(file, 'utf8')), { mode: 0o600, flush: true });
  fs.chownSync(temporary, uid, gid);
  fs.chmodSync(temporary, mode & 0o777);
  fs.renameSync(temporary, file);
  flushDirectory(path.dirname(file));
}

/** So that the new name survives a power cut too. */
function flushDirectory(dir: string): void {
  const handle = fs.openSync(dir, 'r');
  fs.fsyncSync(handle);
  fs.closeSync(handle);
}

/** RSA 2048: what every receiver can check (RFC 8301). */
export function dkimKey(): string {
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
}
