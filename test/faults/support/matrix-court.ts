import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { MatrixConfigInput } from '../../../src/adapters/matrix/config.js';
import type { SettingsInput } from '../../../src/config/settings.js';
import { freePort, LOOPBACK } from '../../../src/sandbox/ports.js';
import { RealClient } from '../../support/dm3-lib.js';
import { eventually } from '../../support/eventually.js';
import { secretsOf } from '../../support/gateway-process.js';
import { ROOT } from '../../support/program.js';
import { SynapseWorld } from '../../support/synapse.js';
import { TestGateway } from '../../support/test-gateway.js';
import { leftovers, queueState, waiting } from './leftovers.js';
import { MatrixTalk } from './matrix-talk.js';
import { ServiceProcess } from './service-process.js';

const FAST = { firstSeconds: 0.2, factor: 1.5, maxSeconds: 1 };
/** Little, so that silence is noticed soon; a busy homeserver that takes longer is asked again. */
const HOMESERVER_SECONDS = 5;
const PATIENCE = { patienceMs: 120_000 };

interface Launch {
  /** Of HTTP, where somebody has to know it before. */
  readonly port?: number;
  /** All if none are named. */
  readonly roles?: readonly string[];
}

/**
 * A real Synapse, bob with a real client, and the service in processes of its own, which the suite starts. The gateway in
 * the suite's own process works at nothing and knows nothing of Matrix: bob reads his mailbox there, over the same database.
 */
export class MatrixCourt {
  readonly #processes: ServiceProcess[] = [];
  readonly #talks: MatrixTalk[] = [];

  private constructor(
    readonly synapse: SynapseWorld,
    readonly world: TestGateway,
    readonly bob: RealClient,
    private readonly home: string,
  ) {}

  /** @param entrance where Synapse looks for the service, if not at `synapse.gatewayPort` */
  static async open(entrance?: number): Promise<MatrixCourt> {
    const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-court-'));
    const synapse = await SynapseWorld.start({ entrance });
    const world = await TestGateway.create({ roles: ['api'] });
    return new MatrixCourt(synapse, world, await RealClient.create(world, world.bob), home);
  }

  /** `dm3-gateway start`, ready. */
  async launch({ port: known, roles = [] }: Launch = {}): Promise<ServiceProcess> {
    const port = known ?? (await freePort());
    const configFile = path.join(this.home, `gateway-${port}.yaml`);
    writeFileSync(configFile, JSON.stringify(await this.#settings(port))); // which is YAML, too
    const flags = roles.flatMap((role) => ['--role', role]);
    const started = await ServiceProcess.start({
      program: [`${ROOT}dist/cli/main.js`, 'start', '--config', configFile, ...flags],
      env: { ...secretsOf(this.world), NODE_COMPILE_CACHE: path.join(this.home, 'compile-cache') },
      zone: {},
      url: `http://${LOOPBACK}:${port}`,
      hitFile: path.join(this.home, `hit-${port}`),
    });
    this.#processes.push(started);
    return started;
  }

  async #settings(port: number): Promise<SettingsInput & { matrix: MatrixConfigInput }> {
    const { settings } = this.world;
    const retry = { matrix: FAST, dm3: FAST };
    return {
      ...settings,
      http: { ...settings.http, port },
      admin: { port: await freePort() },
      logLevel: 'warn',
      delivery: { ...settings.delivery, retry, leaseSeconds: 1, pollSeconds: 0.2 },
      matrix: { ...this.synapse.config, timeoutSeconds: HOMESERVER_SECONDS },
    };
  }

  /** @param door where bob hands in */
  async talk(name: string, door: () => string): Promise<MatrixTalk> {
    const talk = await MatrixTalk.begin({ synapse: this.synapse, bob: this.bob, door }, name);
    this.#talks.push(talk);
    return talk;
  }

  /** Rows that all talks so far left behind, once nothing waits any more. */
  async leftovers(): Promise<string[]> {
    const { db } = this.world;
    const isEmpty = async () => (await waiting(db)) === 0;
    await eventually('nothing to wait', isEmpty, PATIENCE).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await queueState(db)}`, { cause: error });
    });
    const queued = this.#talks.reduce((sum, { letters }) => sum + letters, 0);
    return leftovers(db, { queued, deposited: (await this.bob.incoming()).length });
  }

  async close(): Promise<void> {
    for (const each of this.#processes) await each.kill();
    await this.world.stop();
    await this.synapse.stop();
    rmSync(this.home, { recursive: true, force: true });
  }
}
