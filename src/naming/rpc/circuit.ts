import type { Clock } from '../../common/clock.js';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Lets somebody rest who fails: one second at first, twice as long after each further failure, a minute at most. When
 * the pause is over one try goes ahead, and the others keep away until it succeeded.
 */
export class Circuit {
  #failures = 0;
  #restsUntil = -Infinity;

  /** @param options.trialMs how long a try may take */
  constructor(private readonly options: { readonly clock: Clock; readonly trialMs: number }) {}

  get isResting(): boolean {
    return this.options.clock.now() < this.#restsUntil;
  }

  /** A try begins. @returns what to report its failure with */
  begin(): number {
    if (this.#failures > 0) this.#restsUntil = Math.max(this.#restsUntil, this.#in(this.options.trialMs));
    return this.#failures;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#restsUntil = -Infinity;
  }

  /** Tries that were under way together fail together: only the first of them counts. */
  failed(begun: number): void {
    if (begun !== this.#failures) return;
    this.#restsUntil = this.#in(Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS));
    this.#failures += 1;
  }

  #in(milliseconds: number): number {
    return this.options.clock.now() + milliseconds;
  }
}
