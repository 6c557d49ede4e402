import { GatewayError } from '../common/errors.js';
import type { ForeignAddress, NetworkId } from '../common/ids.js';
import { givesIds, type Adapter } from './adapter/adapter.js';

/** A message for a network this process has no adapter for (switched off, or not configured here). */
export class NetworkUnavailableError extends GatewayError {
  constructor({ network }: { network: string }) {
    const message = `This gateway does not serve the network "${network}" at the moment.`;
    super({ code: 'NETWORK_UNAVAILABLE', kind: 'unavailable', message, retryable: true });
  }
}

/** The running adapters. The core asks here who owns an address; it never names a network itself. */
export class AdapterRegistry {
  readonly #adapters = new Map<NetworkId, Adapter>();

  add(adapter: Adapter): void {
    this.#adapters.set(adapter.network, adapter);
  }

  all(): Adapter[] {
    return [...this.#adapters.values()];
  }

  /** Null for a network that is switched off, or not configured here. */
  find(network: NetworkId): Adapter | null {
    return this.#adapters.get(network) ?? null;
  }

  /** @throws NetworkUnavailableError */
  of(network: NetworkId): Adapter {
    const adapter = this.find(network);
    if (!adapter) throw new NetworkUnavailableError({ network });
    return adapter;
  }

  /** Our ids of what the networks know by this one. */
  async ourIds(id: string): Promise<string[]> {
    const found = await Promise.all(this.all().map((adapter) => (givesIds(adapter) ? adapter.remoteIdOf(id) : id)));
    return found.filter((each) => each !== id);
  }

  /** For people; the address itself where no adapter of ours owns it. */
  format(address: ForeignAddress): string {
    return (
      this.all()
        .find((adapter) => adapter.owns(address))
        ?.formatAddress(address) ?? address
    );
  }
}
