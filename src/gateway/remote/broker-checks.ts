import type { ChannelModel } from 'amqplib';
import type { NetworkId } from '../../common/ids.js';
import type { Check } from '../../ops/doctor/check.js';
import { failure, fine, warning, type Finding } from '../../ops/doctor/finding.js';
import type { Sealer } from '../../storage/sealer.js';
import { CONNECT_MS, queueOptions, type BrokerSettings } from './broker-queue.js';

interface Parts {
  readonly broker: BrokerSettings;
  readonly schema: string;
  readonly sealer: Sealer;
}

/** What a refusal of the broker says of itself (AMQP 0-9-1 §1.8; `code` of a socket that never came so far). */
interface Refusal {
  readonly code?: number | string;
  readonly message?: string;
}

const NOT_FOUND = 404;
const REFUSED = 403;
/** Before it, a quorum queue knows no limit of deliveries, or is not there at all. */
const OLDEST = [3, 10];

/** Whether requests for networks that other processes run get through: each broker of the list, then each queue. */
export function brokerChecks(parts: Parts): Check[] {
  const { url: urls, networks } = parts.broker;
  const reach = urls.map((url): Check => ({
    subject: `broker at ${placeOf(url)}`,
    run: () => reached(url, async (connection) => [version(connection)]),
  }));
  const queues = networks.map((network): Check => ({
    subject: `broker's queue for ${network}`,
    run: () => reached(urls[0]!, async (connection) => [await queue(connection, parts, network)]),
  }));
  return [...reach, ...queues];
}

/** Without user and password. */
function placeOf(url: string): string {
  const { hostname, port, protocol, pathname } = new URL(url);
  const vhost = pathname.length > 1 ? pathname : '';
  return `${hostname}:${port || (protocol === 'amqps:' ? 5671 : 5672)}${vhost}`;
}

async function reached(
  url: string,
  look: (connection: ChannelModel) => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const { connect } = await import('amqplib'); // late: few have a broker
  let connection: ChannelModel;
  try {
    connection = await connect(url, { timeout: CONNECT_MS });
  } catch (error) {
    return [unreachable(placeOf(url), error as Refusal)];
  }
  connection.on('error', () => {}); // whoever asks meets it
  try {
    return await look(connection);
  } finally {
    await connection.close().catch(() => {});
  }
}

function unreachable(place: string, { code, message = '' }: Refusal): Finding {
  if (code === REFUSED || /ACCESS.REFUSED/.test(message)) {
    const fix = 'Put the right user and password into broker.url, or create the user with rabbitmqctl add_user.';
    return failure('BROKER_LOGIN_REFUSED', `The broker at ${place} does not accept the user and password.`, fix);
  }
  if (/NOT.ALLOWED|ConnectionOpenOk/.test(message)) {
    // the library tells only that it was closed instead
    const fix = 'Correct the path of broker.url, or let the user in with rabbitmqctl set_permissions.';
    return failure('BROKER_VHOST_REFUSED', `The user may not use the virtual host of the broker at ${place}.`, fix);
  }
  const reason = typeof code === 'string' ? ` (${code})` : '';
  const fix = 'Start RabbitMQ, open its port to this machine, or correct broker.url.';
  return failure('BROKER_UNREACHABLE', `The broker at ${place} does not answer${reason}.`, fix);
}

function version({ connection }: ChannelModel): Finding {
  const { product, version: number } = connection.serverProperties;
  const [major = 0, minor = 0] = number.split('.').map(Number);
  const isOld = major < OLDEST[0]! || (major === OLDEST[0] && minor < OLDEST[1]!);
  if (!isOld) return fine('BROKER', `${product} ${number} answers.`);
  const fix = `Move to RabbitMQ ${OLDEST.join('.')} or newer.`;
  return failure('BROKER_TOO_OLD', `${product} ${number} is too old for the queues of this gateway.`, fix);
}

/** Asks for it without making it. */
async function queue(connection: ChannelModel, parts: Parts, network: string): Promise<Finding> {
  const { queue: name } = queueOptions({ ...parts, network: network as NetworkId });
  const channel = await connection.createChannel();
  channel.on('error', () => {}); // whoever asks meets it
  try {
    const { consumerCount, messageCount } = await channel.checkQueue(name!);
    if (consumerCount > 0) return fine('BROKER_QUEUE', `Somebody takes requests from the queue ${name}.`);
    const message = `Nobody takes requests from the queue ${name}; ${messageCount} wait.`;
    return warning('BROKER_QUEUE_IDLE', message, start(network));
  } catch (error) {
    return missing(name!, network, error as Refusal);
  }
}

function missing(name: string, network: string, error: Refusal): Finding {
  if (error.code === NOT_FOUND)
    return warning('BROKER_QUEUE_MISSING', `The broker has no queue ${name}.`, start(network));
  if (error.code !== REFUSED) throw error;
  const fix = `Let it configure, write and read what begins with "dm3-gateway." (rabbitmqctl set_permissions).`;
  return failure('BROKER_QUEUE_REFUSED', `The user may not use the queue ${name}.`, fix);
}

const start = (network: string) =>
  `Start a process with the role ${network} (dm3-gateway start --role ${network}), with the same secrets and database; it makes the queue.`;
