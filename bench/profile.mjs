import fs from 'node:fs';
import { cpuSeconds } from './processes.mjs';

const EVERY_MS = 50;
const TICKS_PER_SECOND = 100;
const MOST = 5;

/**
 * What a run spends its time with: processor time of the workers, of PostgreSQL and of the whole machine, in cores, and
 * what the workers' sessions were at whenever they were looked at, in sessions on the average.
 */
export class Profile {
  #queue;
  #workers;
  #postmaster;
  #before;
  #samples = 0;
  #doing = new Map();
  #sampling;
  #isOver = false;

  static async begin(queue, workers) {
    const profile = new Profile();
    profile.#queue = queue;
    profile.#workers = workers.map(({ pid }) => pid);
    profile.#postmaster = parentOf(await queue.backend());
    profile.#before = profile.#measure();
    profile.#sampling = profile.#sample();
    return profile;
  }

  async end() {
    this.#isOver = true;
    await this.#sampling;
    const [before, after] = [this.#before, this.#measure()];
    const cores = (what) => (after[what] - before[what]) / (after.at - before.at);
    const doing = [...this.#doing].map(([name, count]) => [name, count / this.#samples]).sort(([, a], [, b]) => b - a);
    return { workers: cores('workers'), database: cores('database'), machine: cores('machine'), doing };
  }

  #measure() {
    return {
      at: performance.now() / 1_000,
      workers: sum(this.#workers.map(cpuSeconds)),
      database: sum(childrenOf(this.#postmaster).map(secondsOf)),
      machine: machineSeconds(),
    };
  }

  async #sample() {
    while (!this.#isOver) {
      this.#samples += 1;
      for (const { doing } of await this.#queue.activity()) {
        if (doing !== 'idle') this.#doing.set(doing, (this.#doing.get(doing) ?? 0) + 1);
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }
}

/** `running 1.2, IO WalSync 0.8`: those that take the most. */
export function inWords(doing) {
  return doing
    .slice(0, MOST)
    .map(([name, sessions]) => `${name} ${sessions.toFixed(1)}`)
    .join(', ');
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function parentOf(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function childrenOf(parent) {
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => isThere(() => parentOf(pid) === parent));
}

/** A process may end between two looks at it. */
function isThere(look) {
  try {
    return look();
  } catch {
    return false;
  }
}

const secondsOf = (pid) => isThere(() => cpuSeconds(pid)) || 0;

/** Of all processes, whoever they belong to (proc_stat(5)). */
function machineSeconds() {
  const [user, nice, system, , , irq, softirq] = fs
    .readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}
