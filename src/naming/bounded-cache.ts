import type { Clock } from '../common/clock.js';

export interface BoundedCacheOptions<V> {
  readonly clock: Clock;
  readonly maxEntries: number;
  /** How long a value may be served, milliseconds from the moment its loading began. */
  readonly ttlMs: (value: V) => number;
}

interface Entry<V> {
  readonly value: V;
  readonly loadedAt: number;
}

/**
 * Keeps what was loaded, for a bounded time and in a bounded number (least recently used goes first). Callers that ask
 * for one key at once share one load. A load that throws is told to them and forgotten: it is not kept, and it never
 * lets an older value live on.
 */
export class BoundedCache<V> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #loading = new Map<string, Promise<V>>();
  #timesForgotten = 0;

  constructor(private readonly options: BoundedCacheOptions<V>) {}

  /**
   * The value of a key, loaded if there is none or its time is over.
   * @param maxAgeMs for a caller who has reason to doubt what is kept: older values are loaded again
   * @throws what `load` throws
   */
  get(key: string, load: () => Promise<V>, maxAgeMs = Infinity): Promise<V> {
    const entry = this.#take(key);
    if (entry && this.options.clock.now() - entry.loadedAt < maxAgeMs) return Promise.resolve(entry.value);
    const shared = this.#loading.get(key);
    if (shared) return shared;
    const loading = this.#load(key, load).finally(() => {
      if (this.#loading.get(key) === loading) this.#loading.delete(key);
    });
    this.#loading.set(key, loading);
    return loading;
  }

  /** Neither what is kept of a key nor what is being loaded for it counts any more: whoever asks next loads it anew. */
  forget(key: string): void {
    this.#entries.delete(key);
    this.#loading.delete(key);
    this.#timesForgotten += 1;
  }

  /** Moves a live entry to the young end, drops an expired one. */
  #take(key: string): Entry<V> | null {
    const entry = this.#entries.get(key);
    if (!entry) return null;
    this.#entries.delete(key);
    if (this.options.clock.now() - entry.loadedAt >= this.options.ttlMs(entry.value)) return null;
    this.#entries.set(key, entry);
    return entry;
  }

  async #load(key: string, load: () => Promise<V>): Promise<V> {
    const loadedAt = this.options.clock.now();
    const timesForgotten = this.#timesForgotten;
    const value = await load();
    if (timesForgotten !== this.#timesForgotten) return value; // perhaps this key's, and the value an old one
    this.#put(key, { value, loadedAt });
    return value;
  }

  #put(key: string, entry: Entry<V>): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size <= this.options.maxEntries) return;
    const [oldest] = this.#entries.keys();
    this.#entries.delete(oldest!);
  }
}
