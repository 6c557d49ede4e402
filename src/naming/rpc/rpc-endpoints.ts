import type { JsonRpcProvider } from 'ethers';
import { systemClock, type Clock } from '../../common/clock.js';
import { silentLog, type EventLog } from '../../ops/event-log.js';
import { RpcEndpoint } from './rpc-endpoint.js';

export interface RpcSettings {
  /** JSON-RPC endpoints, the preferred one first. At least one. */
  readonly rpcUrls: readonly string[];
  readonly chainId: number;
  /** How long one endpoint may take for one call, milliseconds. */
  readonly timeoutMs: number;
}

/** How one endpoint does, without anything that its operator keeps to himself. */
export interface EndpointHealth {
  /** Host and port of its URL; `#2` and so on where they are not the only ones. */
  readonly endpoint: string;
  /** `behind` is used after those that are not, `resting` only if there is no other. */
  readonly state: 'usable' | 'behind' | 'resting';
  /** Why it rests. */
  readonly code: string | null;
  /** How much older its newest block is than the newest of all; null if that is not known. */
  readonly behindSeconds: number | null;
}

const LOOK_MS = 15_000;
/** Time of blocks, since chains count them at very different speeds; five blocks of Ethereum. */
const MAX_BEHIND_SECONDS = 60;

/**
 * The endpoints of one chain, in order of preference. Those that fail rest for a while, and those whose blocks are old
 * come after the others; but as long as one of all gives an answer, there is an answer.
 */
export class RpcEndpoints {
  readonly #endpoints: readonly RpcEndpoint[];
  readonly #log: EventLog;
  readonly #behind = new Map<RpcEndpoint, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ rpcUrls, ...settings }: RpcSettings, options: { clock?: Clock; log?: EventLog } = {}) {
    const { clock = systemClock, log = silentLog } = options;
    this.#log = log;
    const labels = labelsOf(rpcUrls);
    this.#endpoints = rpcUrls.map((url, at) => new RpcEndpoint({ ...settings, url, label: labels[at]!, clock, log }));
  }

  /** From now on they are also looked at when nobody asks them anything. */
  start(): void {
    void this.look();
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  /**
   * The first answer, by preference.
   * @throws AggregateError of RpcFailures, one an endpoint, if there is none
   */
  async ask<T>(work: (provider: JsonRpcProvider) => Promise<T>): Promise<T> {
    const { ready, resting } = this.#ranked();
    const failures: unknown[] = [];
    for (const endpoint of ready) {
      try {
        return await endpoint.ask(work);
      } catch (failure) {
        failures.push(failure);
      }
    }
    // Nobody else is left: now all of them together, so that no outage lasts longer than it must.
    return Promise.any(resting.map((endpoint) => endpoint.ask(work))).catch(({ errors }: AggregateError) => {
      throw new AggregateError([...failures, ...errors]);
    });
  }

  /** Finds out which are alive, on the right chain and up to date. */
  async look(): Promise<void> {
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.lookAtHead()));
    const newest = Math.max(...this.#endpoints.map(({ headTime }) => headTime ?? 0));
    for (const endpoint of this.#endpoints) this.#compare(endpoint, newest);
  }

  health(): EndpointHealth[] {
    return this.#endpoints.map((endpoint) => ({
      endpoint: endpoint.label,
      state: this.#stateOf(endpoint),
      code: endpoint.failureCode,
      behindSeconds: this.#behind.get(endpoint) ?? null,
    }));
  }

  /** Closes the connections; calls under way fail. */
  close(): void {
    clearInterval(this.#timer);
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  #ranked(): { ready: readonly RpcEndpoint[]; resting: readonly RpcEndpoint[] } {
    const inState = (state: EndpointHealth['state']) => this.#endpoints.filter((each) => this.#stateOf(each) === state);
    return { ready: [...inState('usable'), ...inState('behind')], resting: inState('resting') };
  }

  #stateOf(endpoint: RpcEndpoint): EndpointHealth['state'] {
    if (endpoint.isResting) return 'resting';
    return this.#isBehind(endpoint) ? 'behind' : 'usable';
  }

  #isBehind(endpoint: RpcEndpoint): boolean {
    return (this.#behind.get(endpoint) ?? 0) > MAX_BEHIND_SECONDS;
  }

  #compare(endpoint: RpcEndpoint, newest: number): void {
    const wasBehind = this.#isBehind(endpoint);
    if (endpoint.headTime === null) this.#behind.delete(endpoint);
    else this.#behind.set(endpoint, newest - endpoint.headTime);
    if (wasBehind || !this.#isBehind(endpoint)) return;
    this.#log.warn('chain.endpoint-behind', { component: endpoint.label });
  }
}

/** User, password, path and query of such a URL are secrets; host and port are not. */
function labelsOf(urls: readonly string[]): string[] {
  const hosts = urls.map((url) => new URL(url).host);
  return hosts.map((host, at) => {
    const before = hosts.slice(0, at).filter((other) => other === host).length;
    return before === 0 ? host : `${host}#${before + 1}`;
  });
}
