import { GatewayError } from '../common/errors.js';
import type { NetworkId } from '../common/ids.js';
import { ConfigError } from '../config/errors.js';
import type { Roles } from '../config/roles.js';
import type { EventLog } from '../ops/event-log.js';
import type { Probe } from '../ops/probes.js';
import type { CloseDoor } from '../ops/shutdown.js';
import type { Database } from '../storage/database.js';
import { SessionLock } from '../storage/session-lock.js';
import type { Adapter, AdapterHealth, GatewayPort } from './adapter/adapter.js';
import { NetworkUnavailableError, type AdapterRegistry } from './adapters.js';
import type { RemoteNetworks } from './remote/remote-networks.js';
import { localCalls, standIn, type NetworkCalls } from './remote/stand-in.js';
import { Turn } from './turn.js';

interface Parts {
  readonly adapters: AdapterRegistry;
  readonly roles: Roles;
  readonly db: Database;
  /** Null without a broker. */
  readonly remote: RemoteNetworks | null;
  readonly log: EventLog;
}

/** A network that belongs to one process at a time runs in another one. */
export class NetworkTakenError extends GatewayError {
  constructor({ network }: { network: string }) {
    const message = `The network ${network} runs in another process, and belongs to one at a time: stop that one first, or start this one without the role.`;
    super({ code: 'NETWORK_TAKEN', kind: 'unavailable', message, retryable: true });
  }
}

/**
 * Decides what the core gets for each network in this process, the adapter or what stands for it, and runs the
 * connections that are this process's business. All processes know the same networks, by the same configuration.
 */
export class AdapterRunner {
  /** Of the networks whose role this process has. */
  readonly #own = new Map<NetworkId, Adapter>();
  readonly #running = new Set<NetworkId>();
  /** Networks that need no connection to send, and whose role another process has. */
  readonly #senders: Adapter[] = [];
  readonly #turns = new Map<NetworkId, Turn>();

  constructor(private readonly parts: Parts) {}

  /** @throws ConfigError if this process could never send what it would take from the queue */
  add(adapter: Adapter): void {
    const { adapters, roles, remote } = this.parts;
    const { network, exclusive } = adapter;
    if (roles.runs(network)) this.#own.set(network, adapter);
    const isCarried = remote?.carries(adapter) ?? false;
    if (exclusive !== undefined && !isCarried && !roles.runs(network) && roles.has('worker')) {
      const message = `The network ${network} sends only from the process with its role: give this worker that role, too, or set "broker".`;
      throw new ConfigError({ message });
    }
    const isPlain = exclusive === undefined && !isCarried;
    if (isPlain && !roles.runs(network)) this.#senders.push(adapter);
    adapters.add(isPlain ? adapter : standIn(adapter, () => this.#callsOf(adapter, isCarried)));
  }

  /** @throws NetworkTakenError, and what adapters throw */
  async start(port: GatewayPort): Promise<void> {
    for (const adapter of this.#own.values()) {
      if (adapter.exclusive === undefined) await this.#begin(adapter, port);
      else await this.#startExclusive(adapter, port);
    }
  }

  /**
   * How each network's connection is closed. Where a network only sends from here, what is under way ends, too. Whoever
   * asks from elsewhere gets his answer first.
   */
  doors(): [name: string, close: CloseDoor][] {
    const own = [...this.#own].map(([network, adapter]): [string, CloseDoor] => [network, () => this.#close(adapter)]);
    const others = this.#senders.map((adapter): [string, CloseDoor] => [adapter.network, () => adapter.stop()]);
    return [...own, ...others];
  }

  async #close(adapter: Adapter): Promise<void> {
    const turn = this.#turns.get(adapter.network);
    await (turn ? turn.stop() : this.#end(adapter));
  }

  /** Of the networks that concern this process: those it runs, and those it reaches over the broker. */
  probes(): Probe[] {
    const { adapters, remote } = this.parts;
    const concerned = adapters.all().filter((each) => this.#own.has(each.network) || remote?.carries(each));
    return concerned.map((adapter) => ({
      name: adapter.network,
      check: async () => upOrNot(this.#standsBy(adapter.network) ? STANDING_BY : await adapter.health()),
    }));
  }

  #callsOf(adapter: Adapter, isCarried: boolean): NetworkCalls {
    const { remote } = this.parts;
    const isHere = this.#running.has(adapter.network);
    if (isCarried) return isHere ? remote!.near(adapter) : remote!.far(adapter.network);
    if (isHere) return localCalls(adapter);
    throw new NetworkUnavailableError({ network: adapter.network });
  }

  async #startExclusive(adapter: Adapter, port: GatewayPort): Promise<void> {
    const { db, log } = this.parts;
    const { network } = adapter;
    const lock = new SessionLock(db, `network/${network}`);
    const turn = new Turn({
      lock,
      begin: () => this.#begin(adapter, port),
      end: () => this.#end(adapter),
      network,
      log,
    });
    this.#turns.set(network, turn);
    const isRefusing = adapter.exclusive === 'refuse';
    const isOurs = await turn.take(isRefusing ? db.options.lockSeconds : 0); // one that is replaced needs a moment to end
    if (!isOurs && isRefusing) throw new NetworkTakenError({ network });
    if (!isOurs) log.info('network.standing-by', { network });
    turn.start();
  }

  async #begin(adapter: Adapter, port: GatewayPort): Promise<void> {
    const { remote } = this.parts;
    await adapter.start(port);
    this.#running.add(adapter.network);
    if (remote?.carries(adapter)) remote.serve(adapter);
  }

  async #end(adapter: Adapter): Promise<void> {
    await this.parts.remote?.withdraw(adapter.network);
    this.#running.delete(adapter.network);
    await adapter.stop();
  }

  #standsBy(network: NetworkId): boolean {
    const turn = this.#turns.get(network);
    return turn !== undefined && !turn.isHeld;
  }
}

const STANDING_BY: AdapterHealth = { status: 'up', detail: 'Standing by; another process runs it.' };

const upOrNot = ({ status, detail }: AdapterHealth) => ({ up: status !== 'down', detail });
