import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort, LOOPBACK } from '../../src/sandbox/ports.js';
import { eventually } from './eventually.js';
import { ask } from './http-answer.js';
import { startOperator, type Program } from './program.js';
import type { TestGateway } from './test-gateway.js';

/** `dm3-gateway start` in a process of its own, over the database and the ENS of a gateway in this one. */
export class GatewayProcess {
  private constructor(
    readonly program: Program,
    readonly url: string,
  ) {}

  /** Ready. @param home where its configuration goes @param more settings; without an email section, dm3 only */
  static async start(world: TestGateway, home: string, more: Record<string, unknown> = {}): Promise<GatewayProcess> {
    const port = await freePort();
    const settings = {
      ...world.settings,
      http: { ...world.settings.http, port },
      admin: { port: await freePort() },
      logLevel: 'warn',
      ...more,
    };
    const file = path.join(home, 'gateway.yaml');
    writeFileSync(file, JSON.stringify(settings)); // which is YAML, too
    const program = startOperator(['start', '--config', file], { env: secretsOf(world) });
    const gateway = new GatewayProcess(program, `http://${LOOPBACK}:${port}`);
    try {
      await eventually('the other gateway', () => gateway.#isReady());
      return gateway;
    } catch (error) {
      await gateway.kill();
      throw error;
    }
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

function secretsOf(world: TestGateway): Record<string, string> {
  const { rootSecret, storageKeys } = world.running.runtime.secrets;
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return {
    DM3_GATEWAY_ROOT_SECRET: hex(rootSecret),
    DM3_GATEWAY_STORAGE_KEYS: storageKeys.map(({ id, key }) => `${id}:${hex(key)}`).join(','),
  };
}
