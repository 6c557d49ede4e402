import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux of these architectures

/**
 * Starts one of our modules as a process of its own. It gets `input` as its first message, its answer to that is
 * `ready`; every further message it is asked, it answers with one.
 * @param {string} logFile where its standard error goes
 */
export async function startProcess(file, input, logFile) {
  const log = fs.openSync(logFile, 'a', 0o600);
  const child = fork(path.join(here, file), { stdio: ['ignore', 'ignore', log, 'ipc'], serialization: 'advanced' });
  fs.closeSync(log);
  const ended = once(child, 'exit');
  const ask = async (message) => {
    child.send(message);
    const fails = ended.then(() => Promise.reject(new Error(`${file} ended: ${tail(logFile)}`)));
    const [answer] = await Promise.race([once(child, 'message'), fails]);
    return answer;
  };
  const stop = async () => {
    if (child.connected) child.disconnect();
    await ended;
  };
  return { pid: child.pid, ready: await ask(input), ask, stop };
}

function tail(file) {
  return fs.readFileSync(file, 'utf8').slice(-2_000);
}

/** The other side of `startProcess`: `start` makes the answer to the first message, `answer` to all others. */
export function serve(start, answer = () => {}) {
  process.once('disconnect', () => process.exit(0));
  process.once('message', async (input) => {
    process.send(await start(input));
    process.on('message', async (message) => process.send(await answer(message)));
  });
}

/** Seconds of processor time a process has used, its threads included (proc_pid_stat(5)). */
export function cpuSeconds(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) / TICKS_PER_SECOND;
}

/** Memory that a process has in use, MB (proc_pid_status(5)). */
export const residentMb = (pid) => megabytes(pid, 'VmRSS');

/** The most that it ever had. */
export const peakMb = (pid) => megabytes(pid, 'VmHWM');

function megabytes(pid, field) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  const [, kilobytes] = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status);
  return (Number(kilobytes) * 1_024) / 1e6;
}
