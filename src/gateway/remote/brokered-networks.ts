import { errorCode } from '../../common/errors.js';
import type { NetworkId } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import type { Database } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import type { Adapter, Rendering } from '../adapter/adapter.js';
import { AdapterHost } from './adapter-host.js';
import { BrokerClient } from './broker-client.js';
import { queueOptions, type BrokerSettings } from './broker-queue.js';
import { BrokerServer } from './broker-server.js';
import type { RemoteNetworks } from './remote-networks.js';
import { PacketSealer } from './sealed-packet.js';
import { SendOnce } from './send-once.js';
import { localCalls, type NetworkCalls } from './stand-in.js';

interface Parts {
  readonly broker: BrokerSettings;
  readonly db: Database;
  readonly sealer: Sealer;
  readonly leaseSeconds: number;
  readonly log: EventLog;
}

const PURGE_EVERY_MS = 10 * 60_000;

/** Over RabbitMQ: a queue for each network, filled by workers, emptied by the processes that run its connection. */
export class BrokeredNetworks implements RemoteNetworks {
  readonly #once: SendOnce;
  readonly #clients = new Map<NetworkId, BrokerClient>();
  readonly #servers = new Map<NetworkId, BrokerServer>();
  #purging: NodeJS.Timeout | undefined;

  constructor(private readonly parts: Parts) {
    this.#once = new SendOnce(parts);
  }

  carries({ network, exclusive }: Adapter): boolean {
    return exclusive !== undefined || this.parts.broker.networks.includes(network);
  }

  far(network: NetworkId): NetworkCalls {
    const client = this.#client(network);
    return {
      health: async () =>
        (await client.isReachable())
          ? { status: 'up' }
          : { status: 'degraded', detail: 'The broker cannot be reached.' },
      render: async (message) => (await client.call({ call: 'render', message })) as Rendering,
      renderNotice: async (notice) => (await client.call({ call: 'render-notice', notice })) ?? null,
      send: async (rendering) => void (await client.call({ call: 'send', rendering })),
      sendChallenge: async (challenge) => void (await client.call({ call: 'challenge', challenge })),
    };
  }

  near(adapter: Adapter): NetworkCalls {
    return localCalls(adapter, (rendering) => this.#once.send(adapter, rendering));
  }

  serve(adapter: Adapter): void {
    const { broker, db, sealer, log } = this.parts;
    const { network } = adapter;
    const packets = new PacketSealer(sealer, network);
    const host = new AdapterHost({ adapter, db, packets, once: this.#once, log });
    const server = new BrokerServer({
      queue: queueOptions({ broker, network, sealer, schema: db.schema }),
      prefetch: broker.prefetch,
      answer: (packet) => host.answer(packet),
      onTrouble: (error) => this.#warn('broker.setup-failed', network, error),
    });
    server.status.subscribe((status) => log.info('broker.status', { network, component: 'host', status }));
    this.#servers.set(network, server);
    this.#purging ??= setInterval(() => void this.#purge(), PURGE_EVERY_MS).unref();
    void server.listen((error) => error && this.#warn('broker.listen-failed', network, error)); // it may be away just now
  }

  async withdraw(network: NetworkId): Promise<void> {
    const server = this.#servers.get(network);
    this.#servers.delete(network);
    await server?.close().catch((error: unknown) => this.#warn('broker.close-failed', network, error));
  }

  async close(): Promise<void> {
    clearInterval(this.#purging);
    await Promise.all([...this.#servers.keys()].map((network) => this.withdraw(network)));
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }

  #client(network: NetworkId): BrokerClient {
    const client = this.#clients.get(network) ?? new BrokerClient({ ...this.parts, network });
    this.#clients.set(network, client);
    return client;
  }

  async #purge(): Promise<void> {
    await this.#once
      .purge()
      .catch((error: unknown) => this.parts.log.warn('remote.purge-failed', { code: errorCode(error) }));
  }

  #warn(event: string, network: NetworkId, error: unknown): void {
    this.parts.log.warn(event, { network, code: errorCode(error) });
  }
}
