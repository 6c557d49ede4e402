import type { Clock } from '../common/clock.js';

export interface BoundedCacheOptions<V> {
  readonly clock: Clock;
  readonly maxEntries: number;
  /** How long a value may be served, milliseconds from the moment its loading began. */
  readonly ttlMs: (value: V) => number;
}

interface Entry<V> {
  readonly value: V;
  readonly expiresAt: number;
}

/**
 * Keeps what was loaded, for a bounded time and in a bounded number (least recently used goes first). Callers that ask
 * for one key at once share one load. A load that throws is told to them and forgotten: it is not kept, and it never
 * lets an older value live on.
 */
export class BoundedCache<V> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #loading = new Map<string, Promise<V>>();

  constructor(private readonly options: BoundedCacheOptions<V>) {}

  /** The value of a key, loaded if there is none or its time is over. @throws what `load` throws */
  get(key: string, load: () => Promise<V>): Promise<V> {
    const entry = this.#take(key);
    if (entry) return Promise.resolve(entry.value);
    const shared = this.#loading.get(key);
    if (shared) return shared;
    const loading = this.#load(key, load).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  /** Moves a live entry to the young end, drops an expired one. */
  #take(key: string): Entry<V> | null {
    const entry = this.#entries.get(key);
    if (!entry) return null;
    this.#entries.delete(key);
    if (this.options.clock.now() >= entry.expiresAt) return null;
    this.#entries.set(key, entry);
    return entry;
  }

  async #load(key: string, load: () => Promise<V>): Promise<V> {
    const startedAt = this.options.clock.now();
    const value = await load();
    this.#put(key, { value, expiresAt: startedAt + this.options.ttlMs(value) });
    return value;
  }

  #put(key: string, entry: Entry<V>): void {
    this.#entries.set(key, entry);
    if (this.#entries.size <= this.options.maxEntries) return;
    const [oldest] = this.#entries.keys();
    this.#entries.delete(oldest!);
  }
}
