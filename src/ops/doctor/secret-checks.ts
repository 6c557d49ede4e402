import fs from 'node:fs';
import type { Check } from './check.js';
import { fine, warning, type Finding } from './finding.js';

interface SecretFiles {
  readonly rootSecretFile?: string;
  readonly storageKeysFile?: string;
}

const OTHERS = 0o077;

/** Beside the root secret: its operator has put a copy somewhere else. */
export const backupMarkOf = (rootSecretFile: string): string => `${rootSecretFile}.backed-up`;

/** Whether the secrets are to themselves, and whether a copy is somewhere else. */
export function secretChecks({ rootSecretFile, storageKeysFile }: SecretFiles): Check[] {
  const files = [rootSecretFile, storageKeysFile].filter((file) => file !== undefined);
  const run = async () => [...files.flatMap(privacyOf), ...(rootSecretFile ? [backupOf(rootSecretFile)] : [])];
  return files.length === 0 ? [] : [{ subject: 'secrets', run }];
}

function privacyOf(file: string): Finding[] {
  if ((fs.statSync(file).mode & OTHERS) === 0) return [];
  return [warning('SECRET_READABLE', `Others on this machine may read ${file}.`, `chmod 600 ${file}`)];
}

function backupOf(file: string): Finding {
  const mark = backupMarkOf(file);
  if (fs.existsSync(mark)) return fine('BACKUP', `${mark} says that there is a copy of the root secret.`);
  const message = `Nothing says that there is a copy of ${file}: losing it loses every identity held for people outside dm3.`;
  return warning('NO_BACKUP', message, `Copy it to a safe place off this machine, then: touch ${mark}`);
}
