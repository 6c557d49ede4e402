import type { JsonRpcProvider } from 'ethers';
import type { Clock } from '../../common/clock.js';
import type { EventLog } from '../../ops/event-log.js';
import { Circuit } from './circuit.js';
import { RpcFailure, rpcFailureOf } from './rpc-failure.js';
import { createRpcProvider } from './rpc-provider.js';

export interface RpcEndpointOptions {
  readonly url: string;
  /** What it is called in logs, health and metrics, where its URL must not go: that may hold an API key. */
  readonly label: string;
  readonly chainId: number;
  /** How long one call may take, milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: EventLog;
}

/** One Ethereum node: whether it is on the right chain, how it does, and how fresh its blocks are. */
export class RpcEndpoint {
  /** Unix seconds of the newest block it has; null if it did not say when it was last asked. */
  headTime: number | null = null;
  /** Why it failed; null while it works. */
  failureCode: string | null = null;
  readonly #provider: JsonRpcProvider;
  readonly #circuit: Circuit;
  #onRightChain: Promise<void> | null = null;

  constructor(private readonly options: RpcEndpointOptions) {
    this.#provider = createRpcProvider(options.url, options);
    this.#circuit = new Circuit({ clock: options.clock, trialMs: options.timeoutMs });
  }

  get label(): string {
    return this.options.label;
  }

  /** It failed a moment ago: others should be asked first. */
  get isResting(): boolean {
    return this.#circuit.isResting;
  }

  /** @throws RpcFailure */
  async ask<T>(work: (provider: JsonRpcProvider) => Promise<T>): Promise<T> {
    const begun = this.#circuit.begin();
    try {
      const answer = await within(this.options.timeoutMs, this.#askOnRightChain(work));
      this.#succeeded();
      return answer;
    } catch (error) {
      const failure = rpcFailureOf(error);
      if (failure.isEndpointsFault) this.#failed(begun, failure);
      throw failure;
    }
  }

  /** Finds out how fresh its blocks are, unless it rests. */
  async lookAtHead(): Promise<void> {
    this.headTime = this.isResting ? null : await this.ask(headTimeOf).catch(() => null);
  }

  close(): void {
    this.#provider.destroy();
  }

  async #askOnRightChain<T>(work: (provider: JsonRpcProvider) => Promise<T>): Promise<T> {
    await (this.#onRightChain ??= this.#checkChain());
    return work(this.#provider);
  }

  /** Once, and again after every failure: behind the URL there may be another node by then. */
  async #checkChain(): Promise<void> {
    const chainId = await this.#provider.send('eth_chainId', []).catch((error: unknown) => {
      throw new RpcFailure({ code: rpcFailureOf(error).code });
    });
    if (Number(chainId) !== this.options.chainId) throw new RpcFailure({ code: 'WRONG_CHAIN' });
  }

  #succeeded(): void {
    this.#circuit.succeeded();
    if (this.failureCode === null) return;
    this.failureCode = null;
    this.options.log.info('chain.endpoint-back', { component: this.label });
  }

  #failed(begun: number, { code }: RpcFailure): void {
    if (this.#provider.destroyed) return;
    this.#circuit.failed(begun);
    this.#onRightChain = null;
    if (this.failureCode === null) this.options.log.warn('chain.endpoint-failed', { component: this.label, code });
    this.failureCode = code;
  }
}

async function headTimeOf(provider: JsonRpcProvider): Promise<number> {
  const block = (await provider.send('eth_getBlockByNumber', ['latest', false])) as { timestamp: string };
  return Number(block.timestamp);
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RpcFailure({ code: 'TIMEOUT' })), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
