/** Stops taking what is new, and resolves when what was under way is finished. */
export type CloseDoor = () => Promise<void>;

/**
 * The process's way out. Readiness answers from it, parts that take work from outside announce how they close, and what
 * a stop still waits for has a name.
 */
export class Shutdown {
  readonly #doors = new Map<string, CloseDoor>();
  readonly #waiting = new Set<string>();
  #begun = false;

  /** From the signal on: the doors are still open, but nobody should send anybody here any more. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Names of the steps that are not done. */
  get waitingFor(): readonly string[] {
    return [...this.#waiting];
  }

  begin(): void {
    this.#begun = true;
  }

  addDoor(name: string, close: CloseDoor): void {
    this.#doors.set(name, close);
  }

  /** All at once: none waits for what passes through another. */
  async closeDoors(): Promise<void> {
    await Promise.all([...this.#doors].map(([name, close]) => this.wait(name, close())));
  }

  async wait(name: string, step: Promise<void>): Promise<void> {
    this.#waiting.add(name);
    await step;
    this.#waiting.delete(name);
  }
}
