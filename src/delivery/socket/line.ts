import { TooManySubmissionsError } from './errors.js';

/** Does one thing after the other, in the order they were asked for, and refuses what would wait behind too many. */
export class Line {
  #length = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly limit: number) {}

  /** @throws TooManySubmissionsError, and whatever `work` throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#length === this.limit) throw new TooManySubmissionsError({ limit: this.limit });
    this.#length += 1;
    const result = this.#last.then(work).finally(() => (this.#length -= 1));
    this.#last = result.catch(() => {});
    return result;
  }
}
