/** Results of a pure function that costs something: those that were asked for last are kept. */
export class RecentlyMade<T> {
  readonly #made = new Map<string, T>();

  constructor(private readonly max: number) {}

  get(key: string, make: () => T): T {
    const value = this.#made.get(key) ?? make();
    this.#made.delete(key);
    this.#made.set(key, value);
    if (this.#made.size > this.max) this.#made.delete(this.#made.keys().next().value!);
    return value;
  }
}
