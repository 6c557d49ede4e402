/** A signal for one waiter. Raised while nobody waits, it is kept: the next wait returns at once. */
export class Wake {
  #raised = false;
  #release: () => void = () => {};

  raise(): void {
    this.#raised = true;
    this.#release();
  }

  /** Resolves when raised, or after `ms` at the latest. @returns whether it was raised */
  async wait(ms: number): Promise<boolean> {
    if (!this.#raised) await this.#raisedOrLate(ms);
    const wasRaised = this.#raised;
    this.#raised = false;
    return wasRaised;
  }

  #raisedOrLate(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#release = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
