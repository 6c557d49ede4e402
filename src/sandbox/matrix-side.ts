import fs from 'node:fs';
import path from 'node:path';
import type { MatrixConfigInput } from '../adapters/matrix/config.js';
import { formatRegistration, newRegistration, readRegistration } from '../adapters/matrix/registration.js';
import { CLOSING_PATIENCE_MS, requireFreePort } from './ports.js';
import { startSynapse, type Synapse } from './synapse.js';

export const MATRIX_SERVER = 'matrix.localhost';
const PEOPLE = ['alice', 'bob'];
const PASSWORD = 'sandbox';

/** The member `matrix` of `sandbox.json`. */
export interface SandboxMatrix {
  readonly homeserverUrl: string;
  readonly serverName: string;
  readonly users: readonly { readonly id: string; readonly password: string }[];
  /** The application service's own account. */
  readonly bot: string;
}

export interface MatrixSide {
  /** The gateway's section `matrix`. */
  readonly section: MatrixConfigInput;
  readonly file: SandboxMatrix;
  stop(): Promise<void>;
}

/**
 * A Synapse that knows the gateway, with two people on it.
 * @param options.dir kept between starts
 * @throws PortBusyError, SynapseNotInstalledError, SynapseFailedError
 */
export async function startMatrixSide(options: {
  readonly dir: string;
  readonly port: number;
  /** Where it reaches the gateway. */
  readonly gatewayUrl: string;
  readonly log: (line: string) => void;
}): Promise<MatrixSide> {
  const { dir, port, gatewayUrl, log } = options;
  await requireFreePort({ port, use: 'Matrix homeserver', patienceMs: CLOSING_PATIENCE_MS });
  fs.mkdirSync(dir, { recursive: true });
  const { file: registrationFile, bot } = settleRegistration(dir, gatewayUrl);
  log('Starting Synapse...');
  const where = { dir: path.join(dir, 'synapse'), port, serverName: MATRIX_SERVER };
  const synapse = await startSynapse({ ...where, registrations: [registrationFile], log });
  const users = await addPeople(synapse);
  return {
    section: { homeserverUrl: synapse.url, serverName: MATRIX_SERVER, registrationFile },
    file: { homeserverUrl: synapse.url, serverName: MATRIX_SERVER, users, bot: `@${bot}:${MATRIX_SERVER}` },
    stop: () => synapse.stop(),
  };
}

/** The tokens stay, the gateway's port may have changed. */
function settleRegistration(dir: string, url: string): { file: string; bot: string } {
  const file = path.join(dir, 'registration.yaml');
  const known = fs.existsSync(file) ? readRegistration(file) : newRegistration({ serverName: MATRIX_SERVER, url });
  fs.writeFileSync(file, formatRegistration({ ...known, url }), { mode: 0o600 });
  return { file, bot: known.sender_localpart };
}

async function addPeople(synapse: Synapse): Promise<SandboxMatrix['users']> {
  const users: { id: string; password: string }[] = [];
  for (const name of PEOPLE) users.push({ id: await synapse.addUser(name, PASSWORD), password: PASSWORD });
  return users;
}
