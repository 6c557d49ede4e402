import fs from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Arguments of a live process (proc(5)); null when there is none or only its unreaped remains. */
export function commandLine(pid: number): string[] | null {
  const text = readOrNull(() => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  return text ? text.split('\0') : null;
}

/** Working directory of a live process; null when there is none or when it belongs to somebody else. */
export function workingDirectory(pid: number): string | null {
  return readOrNull(() => fs.readlinkSync(`/proc/${pid}/cwd`));
}

function readOrNull(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** Sends a signal; a process that is already gone is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const POLL_MS = 20;

/** Waits until `condition` holds. Returns false when it still does not after `patienceMs`. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, patienceMs: number): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() >= deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/**
 * Has `stop` called should this process exit before the returned function is called. A signal that nobody handles ends
 * Node without this, so callers that want a clean end on Ctrl-C handle SIGINT and SIGTERM.
 */
export function onParentExit(stop: () => void): () => void {
  process.once('exit', stop);
  return () => process.off('exit', stop);
}
