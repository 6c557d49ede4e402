import type { Clock } from '../../common/clock.js';
import type { Queryable } from '../database.js';
import type { Sealer } from '../sealer.js';
import { RateLimitedError, type RateWindow } from './errors.js';
import { rateWindowStore } from './rate-window.store.js';

interface Parts {
  readonly db: Queryable;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** What is counted, in the plural, for the one who is refused; it also keeps one limiter's counts from another's. */
  readonly what: string;
  /** Times a window and subject. */
  readonly limit: number;
  /** A minute where it is not said. */
  readonly per?: RateWindow;
}

/** What one subject did in the present window. */
interface Use {
  /** By all processes, as far as is known here. */
  known: number;
  /** Of these, what was done here and the others have not been told of. */
  untold: number;
}

const WINDOW_MS: Readonly<Record<RateWindow, number>> = { minute: 60_000, hour: 3_600_000 };
/** Done this part of what was left when it last asked, a process asks again what the others did. */
const ASK_AFTER = 0.1;
/** Subjects of one window; beyond that the longest known is forgotten, with what was not told of it. */
const MAX_SUBJECTS = 50_000;

/**
 * Counts in fixed windows. Each process counts by itself and shares its count through the database the
 * more often the nearer the limit is, so that a subject within its bounds costs nothing. One process alone is exact.
 */
export class RateLimiter {
  readonly #uses = new Map<string, Use>();
  readonly #windowMs: number;
  #window = 0;

  constructor(private readonly parts: Parts) {
    this.#windowMs = WINDOW_MS[parts.per ?? 'minute'];
  }

  /** Counts so many more, all or none. @throws RateLimitedError; StorageUnavailableError */
  async take(subject: string, count = 1): Promise<void> {
    const use = this.#useOf(subject);
    if (use.known + count > this.parts.limit) throw this.#refusal();
    const left = this.parts.limit - (use.known - use.untold);
    use.known += count;
    use.untold += count;
    if (use.untold < left * ASK_AFTER) return;
    if ((await this.#share(subject, use)) > this.parts.limit) throw this.#refusal();
  }

  #useOf(subject: string): Use {
    const window = Math.floor(this.parts.clock.now() / this.#windowMs);
    if (window !== this.#window) this.#uses.clear();
    this.#window = window;
    const use = this.#uses.get(subject) ?? { known: 0, untold: 0 };
    this.#uses.set(subject, use);
    if (this.#uses.size > MAX_SUBJECTS) this.#uses.delete(this.#uses.keys().next().value!);
    return use;
  }

  async #share(subject: string, use: Use): Promise<number> {
    const { db, sealer, what } = this.parts;
    const { untold } = use;
    use.untold = 0;
    const key = sealer.keyedHash('rate window', what, subject);
    const total = await rateWindowStore.add(db, key, this.#window * this.#windowMs, untold);
    use.known = Math.max(use.known, total + use.untold);
    return total;
  }

  #refusal(): RateLimitedError {
    const { clock, what, limit, per = 'minute' } = this.parts;
    const leftMs = (this.#window + 1) * this.#windowMs - clock.now();
    return new RateLimitedError({ what, limit, per, retryAfterSeconds: Math.ceil(leftMs / 1_000) });
  }
}
