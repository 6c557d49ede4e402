import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { GatewayError } from '../common/errors.js';
import { waitUntil } from './processes.js';

/** Any 1.x will do; one that is known keeps runs alike. */
const PACKAGE = 'matrix-synapse>=1.150,<2';
const INSTALL_PATIENCE_MS = 600_000;

const run = promisify(execFile);

export class SynapseNotInstalledError extends GatewayError {
  constructor({ cause }: { cause: unknown }) {
    const said = (cause as { stderr?: string }).stderr?.trim().split('\n').at(-1) ?? String(cause);
    const message = `Synapse could not be installed: ${said} It needs Python 3.10 or newer with venv (Debian: apt-get install python3-venv) and a package index.`;
    super({ code: 'SYNAPSE_NOT_INSTALLED', kind: 'unavailable', message, cause });
  }
}

/**
 * A Python with Synapse, in a virtual environment of its own below the user's cache folder; made once and kept.
 * @returns path of its Python
 * @throws SynapseNotInstalledError
 */
export async function installSynapse(log: (line: string) => void): Promise<string> {
  const home = path.join(os.homedir(), '.cache', 'dm3-gateway');
  fs.mkdirSync(home, { recursive: true });
  const venv = path.join(home, 'synapse');
  const python = path.join(venv, 'bin', 'python');
  const release = await lock(`${venv}.lock`);
  try {
    if (!isWhole(venv)) await make(venv, python, log);
    return python;
  } catch (cause) {
    throw new SynapseNotInstalledError({ cause });
  } finally {
    release();
  }
}

/** Written last: a folder without it was cut short. */
const markOf = (venv: string) => path.join(venv, 'dm3-gateway-complete');
const isWhole = (venv: string) => fs.existsSync(markOf(venv));

async function make(venv: string, python: string, log: (line: string) => void): Promise<void> {
  log('Installing Synapse into a virtual environment; this takes a minute or two and is done once...');
  fs.rmSync(venv, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', venv]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PACKAGE];
  await run(python, pip, { timeout: INSTALL_PATIENCE_MS, maxBuffer: 2 ** 26 });
  fs.writeFileSync(markOf(venv), '');
}

/** One at a time; what a killed process left is taken over. */
async function lock(file: string): Promise<() => void> {
  const taken = await waitUntil(() => tryLock(file), INSTALL_PATIENCE_MS);
  if (!taken) throw new SynapseNotInstalledError({ cause: `${file} is held by somebody else` });
  return () => fs.rmSync(file, { force: true });
}

function tryLock(file: string): boolean {
  try {
    fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (!isHeld(file)) fs.rmSync(file, { force: true });
    return false;
  }
}

function isHeld(file: string): boolean {
  try {
    return process.kill(Number(fs.readFileSync(file, 'utf8')), 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
