import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { MatrixConfigInput } from '../../src/adapters/matrix/config.js';
import { formatRegistration, newRegistration, type Registration } from '../../src/adapters/matrix/registration.js';
import { freePort, LOOPBACK } from '../../src/sandbox/ports.js';
import { startSynapse, type Synapse, type SynapseOptions } from '../../src/sandbox/synapse.js';
import { FaultLink } from './fault-link.js';
import { MatrixUser } from './matrix-user.js';

export const HOMESERVER = 'hs.test';
/** Making the virtual environment takes a while where it is not there yet. */
export const SYNAPSE_PATIENCE_MS = 600_000;

interface SynapseWorldOptions extends Partial<SynapseOptions> {
  readonly entrance?: number;
}

/** A real Synapse that has the gateway registered, and a link between the two that tests can disturb. */
export class SynapseWorld {
  private constructor(
    private synapse: Synapse,
    private readonly options: SynapseOptions,
    readonly registration: Registration,
    readonly registrationFile: string,
    /** Port on which the gateway has to listen. */
    readonly gatewayPort: number,
    /** The gateway's way to Synapse. */
    readonly link: FaultLink,
    private readonly home: string,
  ) {}

  /**
   * With Synapse's own limits ghosts are limited, too: Synapse's default for a registration that does not say.
   * @param entrance port at which Synapse looks for the gateway, where that is not the gateway's own
   */
  static async start({ entrance, ...options }: SynapseWorldOptions = {}): Promise<SynapseWorld> {
    const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-synapse-'));
    const [gatewayPort, port] = [await freePort(), await freePort()];
    const made = newRegistration({ serverName: HOMESERVER, url: `http://${LOOPBACK}:${entrance ?? gatewayPort}` });
    const registration = { ...made, rate_limited: options.rateLimits === 'default' };
    const registrationFile = path.join(home, 'registration.yaml');
    writeFileSync(registrationFile, formatRegistration(registration));
    const synapseOptions = {
      dir: path.join(home, 'synapse'),
      port,
      serverName: HOMESERVER,
      registrations: [registrationFile],
      log: () => undefined,
      ...options,
    };
    const synapse = await startSynapse(synapseOptions);
    const link = await FaultLink.open({ host: LOOPBACK, port });
    return new SynapseWorld(synapse, synapseOptions, registration, registrationFile, gatewayPort, link, home);
  }

  get url(): string {
    return this.synapse.url;
  }

  /** The gateway's section for it. */
  get config(): MatrixConfigInput {
    return {
      homeserverUrl: `http://${LOOPBACK}:${this.link.port}`,
      serverName: HOMESERVER,
      registrationFile: this.registrationFile,
      retrySeconds: 0.2,
    };
  }

  /** How often Synapse could not bring the gateway something, as its log has it. */
  get failedPushes(): number {
    const log = readFileSync(path.join(this.options.dir, 'homeserver.log'), 'utf8');
    return log.split('push_bulk to ').length - 1;
  }

  async user(name: string): Promise<MatrixUser> {
    await this.synapse.addUser(name, 'a password');
    return MatrixUser.logIn(this.url, name, 'a password');
  }

  async stopSynapse(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.synapse.stop(signal);
  }

  async startSynapse(): Promise<void> {
    this.synapse = await startSynapse(this.options);
  }

  async stop(): Promise<void> {
    await this.link.close();
    await this.synapse.stop('SIGKILL');
    rmSync(this.home, { recursive: true, force: true });
  }
}
