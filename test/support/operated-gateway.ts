import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { settleSecrets } from '../../src/config/secret-files.js';
import { loadSecrets } from '../../src/config/secrets.js';
import { MailServer } from './mail-server.js';
import { runOperator, startOperator, type Ending, type Program } from './program.js';
import { TestGateway, type TestGatewayOptions } from './test-gateway.js';

/** A gateway with its secrets in files, and an operator who has its configuration. */
export class OperatedGateway {
  private constructor(
    readonly gateway: TestGateway,
    /** The smart host, not started. */
    readonly mailServer: MailServer,
    readonly storageKeysFile: string,
    private readonly home: string,
  ) {}

  static async create(options: TestGatewayOptions = {}): Promise<OperatedGateway> {
    const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-operated-'));
    const { rootSecretFile, storageKeysFile } = settleSecrets(path.join(home, 'secrets'));
    const files = { rootSecretFile, storageKeysFile };
    const mailServer = await MailServer.reserve();
    const email = { outgoing: { smartHost: mailServer.address } };
    const gateway = await TestGateway.create({ ...options, email, secrets: loadSecrets(files, {}) });
    writeFileSync(path.join(home, 'gateway.yaml'), JSON.stringify({ ...gateway.settings, secrets: files }));
    return new OperatedGateway(gateway, mailServer, storageKeysFile, home);
  }

  /** `dm3-gateway keys …`, to its end. */
  keys(...args: string[]): Promise<Ending> {
    return this.run('keys', ...args);
  }

  startKeys(...args: string[]): Program {
    return startOperator(this.#line(['keys', ...args]));
  }

  /** Any command, to its end. */
  run(...args: string[]): Promise<Ending> {
    return runOperator(this.#line(args));
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await this.mailServer.stop();
    rmSync(this.home, { recursive: true });
  }

  #line(args: readonly string[]): string[] {
    return [...args, '--config', path.join(this.home, 'gateway.yaml')];
  }
}
