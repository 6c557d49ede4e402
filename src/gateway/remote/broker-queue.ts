import type { RmqOptions } from '@nestjs/microservices';
import type { NetworkId } from '../../common/ids.js';
import type { Settings } from '../../config/settings.js';
import type { Sealer } from '../../storage/sealer.js';

export type BrokerSettings = NonNullable<Settings['broker']>;

type QueueOptions = Required<RmqOptions>['options'];

/** The one kind of message in a network's queue. */
export const CALL = 'call';

const HEARTBEAT_SECONDS = 10;
const RECONNECT_SECONDS = 1;
/** How long a broker may take to answer. */
export const CONNECT_MS = 4_000;
/** A request that takes its host down each time goes no further: whoever waits for it asks again, with back-off. */
const DELIVERY_LIMIT = 5;

/**
 * The requests for one network, of one gateway: others may share the broker, so that the name carries what only this
 * one's secrets make. Durable and, on a cluster, replicated.
 */
export function queueOptions(options: {
  broker: BrokerSettings;
  network: NetworkId;
  schema: string;
  sealer: Sealer;
}): QueueOptions {
  const { broker, network, schema, sealer } = options;
  const mark = sealer.keyedHash('broker queue', schema, network).toString('hex').slice(0, 16);
  return {
    urls: broker.url,
    queue: `dm3-gateway.${network}.${mark}`,
    queueOptions: {
      durable: true,
      arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': DELIVERY_LIMIT },
    },
    persistent: true,
    socketOptions: {
      heartbeatIntervalInSeconds: HEARTBEAT_SECONDS,
      reconnectTimeInSeconds: RECONNECT_SECONDS,
      connectionOptions: { timeout: CONNECT_MS, noDelay: true },
    },
  };
}
