import { readFileSync } from 'node:fs';
import type { Environment } from './env.js';
import { ConfigError } from './errors.js';

/**
 * The private key of whoever owns a contract, to send a transaction with: from the file, else from
 * `DM3_GATEWAY_OWNER_KEY`. Never from the command line, which every process of the machine can read.
 * @returns `0x` and 64 hex digits
 * @throws ConfigError that names the file or the variable, never the key
 */
export function loadOwnerKey(file: string | undefined, env: Environment): string {
  const text = file === undefined ? env['DM3_GATEWAY_OWNER_KEY'] : readKey(file);
  if (!text) {
    throw new ConfigError({ message: "There is no owner's key: name its file, or set DM3_GATEWAY_OWNER_KEY." });
  }
  const hex = text.trim().replace(/^0x/, '');
  if (/^[0-9a-fA-F]{64}$/.test(hex)) return `0x${hex}`;
  throw new ConfigError({ message: "The owner's key must be 64 hex digits (32 bytes)." });
}

function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError({ message: `Cannot read the owner's key from ${file}.`, cause });
  }
}
