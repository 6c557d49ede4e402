import { generateKeyPairSync, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export interface SecretFiles {
  readonly rootSecretFile: string;
  readonly storageKeysFile: string;
  readonly dkimKeyFile: string;
  readonly adminToken: string;
}

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

/** RSA 2048: what every receiver can check (RFC 8301). */
export function dkimKey(): string {
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
}
