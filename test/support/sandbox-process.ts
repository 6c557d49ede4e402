import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openDataDirectory, resetDataDirectory } from '../../src/sandbox/data-directory.js';
import { choosePorts } from '../../src/sandbox/ports.js';
import { commandLine, workingDirectory } from '../../src/sandbox/processes.js';
import type { SandboxFile } from '../../src/sandbox/sandbox.js';
import { eventually } from './eventually.js';
import { Program, ROOT, type Ending } from './program.js';

export interface SandboxProcessOptions {
  readonly dataDir: string;
  readonly portBase: number;
  readonly reset?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** `npm start` in a process of its own, ready. */
export class SandboxProcess {
  private constructor(
    private readonly program: Program,
    /** As it stood the moment it appeared. */
    readonly file: SandboxFile,
  ) {}

  static async start(options: SandboxProcessOptions): Promise<SandboxProcess> {
    const program = beginSandbox(options);
    try {
      const file = await eventually('the sandbox', async () => readWhenTaken(program, options.dataDir));
      return new SandboxProcess(program, file);
    } catch (error) {
      await program.kill('SIGKILL');
      throw error;
    }
  }

  /** All that it has printed. */
  get output(): string {
    return this.program.stdout;
  }

  get pid(): number {
    return this.program.child.pid!;
  }

  /** Ctrl-C. */
  interrupt(): Promise<Ending> {
    return this.program.kill('SIGINT');
  }

  /** No handler runs. */
  kill(): Promise<Ending> {
    return this.program.kill('SIGKILL');
  }
}

/** Begins to start; somebody else waits for what becomes of it. */
export function beginSandbox({ env, ...options }: SandboxProcessOptions): Program {
  return new Program(process.execPath, [`${ROOT}scripts/run.mjs`, ...sandboxArguments(options)], { env });
}

export function sandboxArguments({ dataDir, portBase, reset }: Omit<SandboxProcessOptions, 'env'>): string[] {
  return ['sandbox', '--data', dataDir, '--port-base', String(portBase), ...(reset ? ['--reset'] : [])];
}

/** Null while it starts. Once it speaks it has the directory, and what a killed one left must be gone. */
function readWhenTaken(program: Program, dataDir: string): SandboxFile | null {
  const file = sandboxFile(dataDir);
  if (program.child.exitCode !== null) throw new Error(`The sandbox ended: ${program.stderr}`);
  if (program.stdout === '' || !fs.existsSync(file)) return null;
  return JSON.parse(fs.readFileSync(file, 'utf8')) as SandboxFile;
}

export function sandboxFile(dataDir: string): string {
  return path.join(dataDir, 'sandbox.json');
}

/** A place for one sandbox's data. */
export interface Place {
  readonly dataDir: string;
  /** Processes that work in it, whoever started them. */
  processes(): number[];
  /** With whatever still runs there. */
  remove(): Promise<void>;
}

export function makePlace(): Place {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-sandbox-'));
  fs.chmodSync(home, 0o711); // as root, PostgreSQL's account passes through
  const dataDir = path.join(home, 'data');
  return {
    dataDir,
    processes: () => processesIn(dataDir),
    remove: async () => {
      const directory = await openDataDirectory(dataDir);
      await resetDataDirectory(directory, () => {});
      await directory.release();
      fs.rmSync(home, { recursive: true });
    },
  };
}

function processesIn(dir: string): number[] {
  const pids = fs.readdirSync('/proc').map(Number).filter(Boolean);
  return pids.filter((pid) =>
    [workingDirectory(pid) ?? '', ...(commandLine(pid) ?? [])].some((text) => text.startsWith(dir)),
  );
}

const TRIES = 20;

/** Six ports in a row that nobody uses right now, below those the system gives away. */
export async function freePortBase(tries = TRIES): Promise<number> {
  const base = randomInt(10_000, 30_000);
  try {
    await choosePorts({ base });
    return base;
  } catch (error) {
    if (tries === 0) throw error;
    return freePortBase(tries - 1);
  }
}
