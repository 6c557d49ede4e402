import type { Clock } from '../../common/clock.js';
import { GatewayError } from '../../common/errors.js';
import type { EventLog } from '../../ops/event-log.js';
import { BoundedCache } from '../bounded-cache.js';
import type { AliasRegistryReader } from './registry-reader.js';

interface Parts {
  readonly reader: Pick<AliasRegistryReader, 'read' | 'readAll'>;
  readonly clock: Clock;
  readonly log: EventLog;
  /** How long an entry, or that there is none, is believed. */
  readonly ttlMs: number;
}

const MAX_ENTRIES = 10_000;
/** How long the contract is left in peace after it did not answer: every name that comes in would wait for it. */
const PAUSE_MS = 5_000;
const WHOLE = '';

/**
 * What the registry contract says. It is read as a whole where it can be listed, else top level by top level as names
 * come in. While it cannot be reached, what was known last goes on to count.
 */
export class PublishedAliases {
  /** Entries known last. */
  readonly #known = new Map<string, string>();
  readonly #whole: BoundedCache<ReadonlyMap<string, string> | null>;
  readonly #single: BoundedCache<string | null>;
  #version = 0;
  #restsUntil = -Infinity;
  #reachable = true;

  constructor(private readonly parts: Parts) {
    const { clock, ttlMs } = parts;
    this.#whole = new BoundedCache({ clock, maxEntries: 1, ttlMs: () => ttlMs });
    this.#single = new BoundedCache({ clock, maxEntries: MAX_ENTRIES, ttlMs: () => ttlMs });
  }

  /** Toplevel -> alias. */
  get entries(): ReadonlyMap<string, string> {
    return this.#known;
  }

  /** Grows with every change of `entries`. */
  get version(): number {
    return this.#version;
  }

  /** False from the first read that failed to the next that does not. */
  get reachable(): boolean {
    return this.#reachable;
  }

  /** What is known of these top levels is no older than the bound afterwards, if the contract can be reached. */
  async learn(toplevels: readonly string[]): Promise<void> {
    if (this.parts.clock.now() < this.#restsUntil) return;
    try {
      const entries = await this.#read(toplevels);
      this.#answered();
      for (const [toplevel, alias] of entries) if (alias !== null) this.#keep(toplevel, alias);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#failed(error);
    }
  }

  async #read(toplevels: readonly string[]): Promise<Iterable<readonly [string, string | null]>> {
    const { reader } = this.parts;
    const whole = await this.#whole.get(WHOLE, () => reader.readAll());
    if (whole) return whole;
    return Promise.all(
      toplevels.map(async (each) => [each, await this.#single.get(each, () => reader.read(each))] as const),
    );
  }

  #keep(toplevel: string, alias: string): void {
    if (this.#known.get(toplevel) === alias) return;
    this.#known.set(toplevel, alias);
    this.#version += 1;
    if (this.#known.size > MAX_ENTRIES) this.#known.delete(this.#known.keys().next().value!);
  }

  #answered(): void {
    if (!this.#reachable) this.parts.log.info('alias-registry.back');
    this.#reachable = true;
  }

  #failed({ code }: GatewayError): void {
    this.#restsUntil = this.parts.clock.now() + PAUSE_MS;
    if (this.#reachable) this.parts.log.warn('alias-registry.unreachable', { code });
    this.#reachable = false;
  }
}
