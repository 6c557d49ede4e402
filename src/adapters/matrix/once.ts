/** Remembers what was done, so that it is not done again soon; the oldest is forgotten where it is too much. */
export class Once {
  readonly #done = new Set<string>();

  constructor(private readonly max: number) {}

  has(key: string): boolean {
    return this.#done.has(key);
  }

  /** Does it unless it was done, or is being done; what fails was not. @returns whether it was done just now */
  async do(key: string, work: () => Promise<void>): Promise<boolean> {
    if (this.#done.has(key)) return false;
    this.add(key);
    try {
      await work();
      return true;
    } catch (error) {
      this.#done.delete(key);
      throw error;
    }
  }

  add(key: string): void {
    this.#done.add(key);
    if (this.#done.size > this.max) this.#done.delete(this.#done.values().next().value!);
  }
}
