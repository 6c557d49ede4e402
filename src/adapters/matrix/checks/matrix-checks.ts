import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Check } from '../../../ops/doctor/check.js';
import { failure, fine, warning, type Finding } from '../../../ops/doctor/finding.js';
import { MatrixApi } from '../api.js';
import type { MatrixConfig } from '../config.js';
import { HomeserverError } from '../errors.js';
import { ghostId } from '../ghost-id.js';
import type { EnsName } from '../../../common/ids.js';
import { Homeserver } from '../homeserver.js';
import { readRegistration, type Registration } from '../registration.js';

const TIMEOUT_MS = 10_000;
/** The first whose files are fetched with a token (MSC3916). */
const OLDEST = [1, 11] as const;
const RESTART = 'Add the registration file to app_service_config_files of the homeserver and restart it.';

/** Whether gateway and homeserver know and reach each other. */
export function matrixChecks(config: MatrixConfig): Check[] {
  return [
    { subject: 'Matrix registration', run: async () => registration(config) },
    { subject: `homeserver ${config.serverName}`, run: () => homeserver(config) },
  ];
}

function registration({ registrationFile, serverName }: MatrixConfig): Finding[] {
  const { namespaces, receive_ephemeral: ephemeral } = readRegistration(registrationFile);
  const sample = ghostId('sample.eth' as EnsName, serverName);
  const ours = namespaces.users.find(({ regex }) => matches(regex, sample));
  if (!ours) {
    const message = `The registration does not reserve user ids such as ${sample}.`;
    return [failure('MATRIX_NAMESPACE', message, 'Write it anew: dm3-gateway matrix registration --force.')];
  }
  const findings = [fine('MATRIX_REGISTRATION', `The registration reserves ${ours.regex}.`)];
  if (!ours.exclusive) {
    const message = 'Others may take the user ids of ghosts: the namespace is not exclusive.';
    findings.push(warning('MATRIX_NOT_EXCLUSIVE', message, 'Set exclusive: true in the registration file.'));
  }
  if (!ephemeral) {
    const message = 'The homeserver does not tell us what has been read.';
    findings.push(warning('MATRIX_NO_RECEIPTS', message, 'Set receive_ephemeral: true in the registration file.'));
  }
  return findings;
}

function matches(regex: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${regex})$`).test(text);
  } catch {
    return false;
  }
}

async function homeserver(config: MatrixConfig): Promise<Finding[]> {
  const known = readRegistration(config.registrationFile);
  const client = new Homeserver({ url: config.homeserverUrl, token: known.as_token, timeoutMs: TIMEOUT_MS });
  const api = new MatrixApi(client);
  const versions = await found(() => version(api), unreachable(config));
  if (versions.level === 'error') return [versions];
  const token = await found(() => account(api, config), rejected);
  if (token.level === 'error') return [versions, token];
  return [versions, token, await found(() => reached(api, known), notReached(known)), await media(api)];
}

/** What `look` finds, or what its failure means. */
async function found(look: () => Promise<Finding>, otherwise: (error: HomeserverError) => Finding): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof HomeserverError) return otherwise(error);
    throw error;
  }
}

async function version(api: MatrixApi): Promise<Finding> {
  const { versions } = z.object({ versions: z.array(z.string()) }).parse(await api.versions());
  const newest = versions.flatMap((name) => {
    const match = /^v(\d+)\.(\d+)$/.exec(name);
    return match ? [[Number(match[1]), Number(match[2])] as const] : [];
  });
  const isNew = newest.some(([major, minor]) => major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]));
  if (isNew) return fine('MATRIX_VERSION', `The homeserver answers and speaks Matrix ${versions.at(-1)}.`);
  const message = 'The homeserver is too old: it does not speak Matrix 1.11, which files need.';
  return failure('MATRIX_TOO_OLD', message, 'Update the homeserver (Synapse 1.111 or newer).');
}

async function account(api: MatrixApi, { serverName }: MatrixConfig): Promise<Finding> {
  const { user_id: bot } = z.object({ user_id: z.string() }).parse(await api.whoami());
  if (bot.endsWith(`:${serverName}`)) return fine('MATRIX_TOKEN', `The homeserver knows us as ${bot}.`);
  const message = `The homeserver knows us as ${bot}, so matrix.serverName is not ${serverName}.`;
  return failure('MATRIX_SERVER_NAME', message, 'Set matrix.serverName to what follows the colon.');
}

async function reached(api: MatrixApi, { id, url }: Registration): Promise<Finding> {
  await api.ping(id, randomUUID());
  return fine('MATRIX_PING', `The homeserver reaches the gateway at ${url}.`);
}

async function media(api: MatrixApi): Promise<Finding> {
  const bytes = await api.mediaLimit();
  return fine('MATRIX_MEDIA', `The homeserver takes files of ${bytes ?? 'unknown many'} bytes.`);
}

const unreachable = ({ homeserverUrl }: MatrixConfig) => {
  const fix = `See whether ${homeserverUrl} is its client-server API: /_matrix/client/versions must answer there.`;
  return ({ message }: HomeserverError) => failure('MATRIX_UNREACHABLE', message, fix);
};

const rejected = ({ message }: HomeserverError) => failure('MATRIX_TOKEN_UNKNOWN', message, RESTART);

const notReached = ({ url }: Registration) => {
  const fix = `Start the gateway, and see that the homeserver reaches it at ${url} (url in the registration file).`;
  return ({ message }: HomeserverError) => failure('MATRIX_NOT_REACHED', message, fix);
};
