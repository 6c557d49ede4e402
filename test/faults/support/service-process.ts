import { existsSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Program } from '../../support/program.js';
import { ask } from '../../support/http-answer.js';
import { eventually } from '../../support/eventually.js';

/** Of this folder. */
export const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const STARTING = { patienceMs: 60_000, pauseMs: 50 };

const COMPLAINTS = new Set([
  'outbox.claim-failed',
  'outbox.renew-failed',
  'database.listen-failed',
  'chain.endpoint-failed',
]);

export interface LogLine {
  readonly level: number;
  readonly event?: string;
  readonly code?: string;
}

export interface ServiceOptions {
  /** What Node runs, with its arguments. */
  readonly program: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly zone: object;
  /** Where it answers. */
  readonly url: string;
  /** The file in which it says where it was killed. */
  readonly hitFile: string;
  /** Wait until everything that it depends on answers, too. */
  readonly untilReady?: boolean;
}

/** One process of the service, with the preloaded script of the suite inside. */
export class ServiceProcess {
  #asked = 0;

  private constructor(
    private readonly program: Program,
    private readonly options: ServiceOptions,
  ) {}

  static async start(options: ServiceOptions): Promise<ServiceProcess> {
    const { program, env, zone, hitFile } = options;
    rmSync(hitFile, { force: true });
    const plan = JSON.stringify({ hitFile, zone });
    const node = ['--expose-gc', '--no-warnings', '--import', here('preload.mjs')];
    const started = new Program(process.execPath, [...node, ...program], {
      env: { ...env, FAULT_PLAN: plan },
      ipc: true,
    });
    const service = new ServiceProcess(started, options);
    try {
      await eventually('the service', () => service.#answers(), STARTING);
      return service;
    } catch (error) {
      await service.kill();
      throw error;
    }
  }

  /** Where it answers. */
  get url(): string {
    return this.options.url;
  }

  get pid(): number {
    return this.program.child.pid!;
  }

  get isAlive(): boolean {
    const { exitCode, signalCode } = this.program.child;
    return exitCode === null && signalCode === null;
  }

  /** Resolves with the kill point at which it ended, null if that was none. */
  get death(): Promise<string | null> {
    const { hitFile } = this.options;
    return this.program.ended.then(() => (existsSync(hitFile) ? readFileSync(hitFile, 'utf8') : null));
  }

  /** Whatever it has logged so far. */
  get log(): LogLine[] {
    const { stderr } = this.program;
    const whole = stderr.slice(0, stderr.lastIndexOf('\n') + 1);
    const lines = whole.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  /** How often it said that it misses the database or the chain. */
  get complaints(): number {
    return this.log.filter(({ event = '' }) => COMPLAINTS.has(event)).length;
  }

  /** Everything that it said, for a report. */
  get output(): string {
    return this.program.stdout.slice(-4_000) + this.program.stderr.slice(-4_000);
  }

  /** It kills itself the n-th time that it comes by; `*` is any point. */
  async armKill(kill: { point: string; nth: number }): Promise<void> {
    await this.#ask('arm', kill);
  }

  /** How often it came by each point since it started. */
  async reached(): Promise<Record<string, number>> {
    return (await this.#ask('reached')) as Record<string, number>;
  }

  /** Its wall clock goes so much ahead (or behind) from now on. */
  async shiftClock(milliseconds: number): Promise<void> {
    await this.#ask('shift', milliseconds);
  }

  /** After a garbage collection, bytes. */
  async memory(): Promise<NodeJS.MemoryUsage> {
    return (await this.#ask('memory')) as NodeJS.MemoryUsage;
  }

  signal(signal: NodeJS.Signals): void {
    this.program.child.kill(signal);
  }

  /** No handler runs. */
  async kill(): Promise<void> {
    await this.program.kill('SIGKILL');
  }

  #ask(question: string, value?: unknown): Promise<unknown> {
    const { child } = this.program;
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      const listen = (message: unknown) => {
        const said = message as { id: number; answer: unknown };
        if (said.id !== id) return;
        child.off('message', listen);
        resolve(said.answer);
      };
      child.on('message', listen);
      child.send({ id, question, value }, (error) => error && reject(error));
    });
  }

  async #answers(): Promise<boolean> {
    if (!this.isAlive) throw new Error(`The service ended at once: ${this.output}`);
    const { url, untilReady = true } = this.options;
    const answer = await ask(`${url}/health/${untilReady ? 'ready' : 'live'}`).catch(() => null);
    return answer?.status === 200;
  }
}
