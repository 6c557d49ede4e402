import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { EmailConfig } from '../../src/adapters/email/config.js';
import type { MatrixConfigInput } from '../../src/adapters/matrix/config.js';
import type { SettingsInput } from '../../src/config/settings.js';
import { freePort, LOOPBACK } from '../../src/sandbox/ports.js';
import { eventually } from './eventually.js';
import { ask } from './http-answer.js';
import { startOperator, type Ending, type Program } from './program.js';
import type { TestGateway } from './test-gateway.js';

export interface GatewayProcessOptions {
  /** Of `start --role`; all by default. */
  readonly roles?: readonly string[];
  /** What is set otherwise than at the gateway in this process. */
  readonly settings?: Partial<SettingsInput>;
  /** Its email section; without one it serves dm3 only. */
  readonly email?: EmailConfig;
  readonly matrix?: MatrixConfigInput;
  /** Of HTTP, where somebody has to know it before. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** `dm3-gateway start` in a process of its own, over the database and the ENS of a gateway in this one. */
export class GatewayProcess {
  private constructor(
    readonly program: Program,
    readonly url: string,
  ) {}

  /** Ready. @param home where its configuration goes */
  static async start(world: TestGateway, home: string, options: GatewayProcessOptions = {}): Promise<GatewayProcess> {
    const { roles = [], settings: others, email, matrix, env } = options;
    const port = options.port ?? (await freePort());
    const settings = {
      ...world.settings,
      http: { ...world.settings.http, port },
      admin: { port: await freePort() },
      logLevel: 'warn',
      ...others,
      email,
      matrix,
    };
    const file = path.join(home, `gateway-${port}.yaml`);
    writeFileSync(file, JSON.stringify(settings)); // which is YAML, too
    const args = ['start', '--config', file, ...roles.flatMap((role) => ['--role', role])];
    const program = startOperator(args, { env: { ...secretsOf(world), ...env } });
    const gateway = new GatewayProcess(program, `http://${LOOPBACK}:${port}`);
    try {
      await eventually('the other gateway', () => gateway.#isReady());
      return gateway;
    } catch (error) {
      await gateway.kill();
      throw error;
    }
  }

  /** Asked to end, it does what has to be done first. */
  async stop(): Promise<Ending> {
    return this.program.kill('SIGTERM');
  }

  /** How often an event was logged there, by its metrics. */
  async count(event: string): Promise<number> {
    const { text } = await ask(`${this.url}/metrics`);
    const lines = text.split('\n').filter((line) => line.includes(`event="${event}"`));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** No handler runs. */
  async kill(): Promise<void> {
    await this.program.kill('SIGKILL');
  }

  async #isReady(): Promise<boolean> {
    const { exitCode } = this.program.child;
    if (exitCode !== null) throw new Error(`It ended with ${exitCode}: ${this.program.stdout}${this.program.stderr}`);
    return ask(`${this.url}/health/ready`).then(
      ({ status }) => status === 200,
      () => false,
    );
  }
}

/** As an operator gives them to a process. */
export function secretsOf(world: TestGateway): Record<string, string> {
  const { rootSecret, storageKeys } = world.running.runtime.secrets;
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return {
    DM3_GATEWAY_ROOT_SECRET: hex(rootSecret),
    DM3_GATEWAY_STORAGE_KEYS: storageKeys.map(({ id, key }) => `${id}:${hex(key)}`).join(','),
  };
}
