import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The same whatever directory a command is called from. */
export const DEFAULT_SANDBOX_DIR = path.join(PROJECT, '.dm3-gateway', 'sandbox');

/** As short as it can be said from here. */
export function shown(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative.length < file.length ? relative : file;
}
