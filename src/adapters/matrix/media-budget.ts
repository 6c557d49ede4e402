import { GatewayError } from '../../common/errors.js';

/** Gives back what was reserved; more than once is once. */
export type Release = () => void;

interface Waiting {
  readonly bytes: number;
  readonly go: () => void;
}

const RETRY_AFTER_SECONDS = 5;

/** Other files took all the memory for long: this one comes again, and holds no place meanwhile. */
export class MemoryBusyError extends GatewayError {
  readonly retryAfterSeconds = RETRY_AFTER_SECONDS;

  constructor() {
    const message = 'Other files are on their way, and there is no memory for this one yet.';
    super({ code: 'MEMORY_BUSY', kind: 'unavailable', message, retryable: true });
  }
}

/** Whoever waits for longer gives his place to others. */
const PATIENCE_MS = 30_000;

/**
 * Memory for files on their way: so many bytes altogether, whatever comes at once. First come, first served, so that a
 * large file is not overtaken for ever by small ones.
 */
export class MediaBudget {
  readonly #waiting: Waiting[] = [];
  #free: number;

  /** @param patienceMs how long anybody waits */
  constructor(
    private readonly totalBytes: number,
    private readonly patienceMs = PATIENCE_MS,
  ) {
    this.#free = totalBytes;
  }

  /** Resolves when there is room. What is larger than everything takes everything. @throws MemoryBusyError (retry) */
  async reserve(bytes: number): Promise<Release> {
    const taken = Math.min(bytes, this.totalBytes);
    await this.#turn(taken);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#free += taken;
      this.#admit();
    };
  }

  #turn(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { bytes, go: () => (clearTimeout(timer), resolve()) };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        this.#admit(); // smaller ones may have stood behind it
        reject(new MemoryBusyError());
      }, this.patienceMs);
      this.#waiting.push(waiting);
      this.#admit();
    });
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && next.bytes <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.bytes;
      next.go();
    }
  }
}
