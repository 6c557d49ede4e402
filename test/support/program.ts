import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Ending {
  /** Null if a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Default: the project's folder. */
  readonly cwd?: string;
  /** Beside this process's environment, of which no setting of the gateway goes along. */
  readonly env?: Readonly<Record<string, string>>;
  /** Opens a channel over which the two exchange messages. */
  readonly ipc?: boolean;
}

/** A program in a process of its own. */
export class Program {
  readonly child: ChildProcess;
  /** When it has ended and everything it said is here. */
  readonly ended: Promise<Ending>;
  stdout = '';
  stderr = '';

  constructor(file: string, args: readonly string[], { cwd = ROOT, env, ipc = false }: ProgramOptions = {}) {
    this.child = spawn(file, args, {
      cwd,
      env: { ...ordinaryEnvironment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? ['ipc' as const] : [])],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = once(this.child, 'close').then(([code]) => ({ code, stdout: this.stdout, stderr: this.stderr }));
  }

  kill(signal: NodeJS.Signals): Promise<Ending> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** `dm3-gateway` as it is built now. */
export function startOperator(args: readonly string[], options?: ProgramOptions): Program {
  return new Program(process.execPath, [`${ROOT}dist/cli/main.js`, ...args], options);
}

export function runOperator(args: readonly string[], options?: ProgramOptions): Promise<Ending> {
  return startOperator(args, options).ended;
}

/** A line as somebody types it. */
export function runShell(line: string, options?: ProgramOptions): Promise<Ending> {
  return new Program('sh', ['-c', line], options).ended;
}

function ordinaryEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('DM3_GATEWAY_')));
}
