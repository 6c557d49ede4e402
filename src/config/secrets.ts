import { readFileSync } from 'node:fs';
import type { Environment } from './env.js';
import { ConfigError } from './errors.js';

export interface Secrets {
  /** 32 bytes; never rotates: every ghost identity derives from it. */
  readonly rootSecret: Uint8Array;
  /** The first seals, all open. */
  readonly storageKeys: readonly [StorageKeySecret, ...StorageKeySecret[]];
  /** As their file has them now; missing if they come from the environment. @throws ConfigError */
  readonly rereadStorageKeys?: () => Secrets['storageKeys'];
}

export interface StorageKeySecret {
  readonly id: number;
  readonly key: Uint8Array;
}

const STORAGE_KEYS_VARIABLE = 'DM3_GATEWAY_STORAGE_KEYS';

interface SecretFiles {
  readonly rootSecretFile?: string;
  readonly storageKeysFile?: string;
}

/**
 * From `DM3_GATEWAY_ROOT_SECRET` and `DM3_GATEWAY_STORAGE_KEYS` (keys separated by commas), else from the files.
 * @throws ConfigError that names the variable and the file setting, never the value
 */
export function loadSecrets(files: SecretFiles, env: Environment): Secrets {
  const root = read('root secret', 'DM3_GATEWAY_ROOT_SECRET', 'rootSecretFile', files.rootSecretFile, env);
  const readKeys = () =>
    parseStorageKeys(read('storage keys', STORAGE_KEYS_VARIABLE, 'storageKeysFile', files.storageKeysFile, env));
  return {
    rootSecret: hex32('The root secret', root),
    storageKeys: readKeys(),
    ...(env[STORAGE_KEYS_VARIABLE] ? {} : { rereadStorageKeys: readKeys }),
  };
}

function read(what: string, variable: string, setting: string, file: string | undefined, env: Environment): string {
  const fromEnv = env[variable];
  if (fromEnv) return fromEnv.trim();
  if (file === undefined) {
    throw new ConfigError({
      message: `There is no ${what}: set secrets.${setting} or ${variable} ("dm3-gateway init" makes one).`,
    });
  }
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new ConfigError({ message: `Cannot read the ${what} from ${file} (secrets.${setting}).`, cause });
  }
}

function parseStorageKeys(text: string): Secrets['storageKeys'] {
  const lines = text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter(Boolean);
  const keys = lines.map((line) => {
    const [id, hex] = line.split(':');
    const number = Number(id);
    if (!Number.isInteger(number) || number < 1 || number > 255 || hex === undefined) {
      throw new ConfigError({ message: 'Each storage key is written <id 1-255>:<64 hex digits>.' });
    }
    return { id: number, key: hex32(`Storage key ${id}`, hex) };
  });
  if (new Set(keys.map(({ id }) => id)).size !== keys.length) {
    throw new ConfigError({ message: 'Two storage keys have the same id.' });
  }
  const [first, ...rest] = keys;
  if (!first) throw new ConfigError({ message: 'The list of storage keys is empty.' });
  return [first, ...rest];
}

function hex32(what: string, text: string): Uint8Array {
  if (!/^(0x)?[0-9a-fA-F]{64}$/.test(text))
    throw new ConfigError({ message: `${what} must be 64 hex digits (32 bytes).` });
  return new Uint8Array(Buffer.from(text.replace(/^0x/, ''), 'hex'));
}
