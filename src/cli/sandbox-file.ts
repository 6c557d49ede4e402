import fs from 'node:fs';
import path from 'node:path';
import { GatewayError } from '../common/errors.js';
import type { SandboxFile } from '../sandbox/sandbox.js';
import { shown } from './paths.js';

export class SandboxNotRunningError extends GatewayError {
  constructor({ dir }: { dir: string }) {
    const message = `There is no running sandbox with its data in ${shown(dir)}. Start one with "npm start", or name its directory with --data.`;
    super({ code: 'SANDBOX_NOT_RUNNING', kind: 'not-found', message });
  }
}

/** @throws SandboxNotRunningError */
export function readSandboxFile(dir: string): SandboxFile {
  const file = path.join(dir, 'sandbox.json');
  if (!fs.existsSync(file)) throw new SandboxNotRunningError({ dir });
  const sandbox = JSON.parse(fs.readFileSync(file, 'utf8')) as SandboxFile;
  if (!isAlive(sandbox.pid)) throw new SandboxNotRunningError({ dir });
  return sandbox;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
