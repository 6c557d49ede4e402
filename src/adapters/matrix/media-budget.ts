/** Gives back what was reserved; more than once is once. */
export type Release = () => void;

interface Waiting {
  readonly bytes: number;
  readonly go: () => void;
}

/**
 * Memory for files on their way: so many bytes altogether, whatever comes at once. First come, first served, so that a
 * large file is not overtaken for ever by small ones.
 */
export class MediaBudget {
  readonly #waiting: Waiting[] = [];
  #free: number;

  constructor(private readonly totalBytes: number) {
    this.#free = totalBytes;
  }

  /** Resolves when there is room. What is larger than everything takes everything. */
  async reserve(bytes: number): Promise<Release> {
    const taken = Math.min(bytes, this.totalBytes);
    await new Promise<void>((go) => {
      this.#waiting.push({ bytes: taken, go });
      this.#admit();
    });
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#free += taken;
      this.#admit();
    };
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && next.bytes <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.bytes;
      next.go();
    }
  }
}
