/** One part of the service and whether it works: true, or why not (a code or a short word, never a name). */
export interface Probe {
  readonly name: string;
  check(): Promise<{ readonly up: boolean; readonly detail?: string }>;
}

/** Parts announce themselves here; `/health/ready` asks them all. */
export class Probes {
  readonly #probes: Probe[] = [];

  add(probe: Probe): void {
    this.#probes.push(probe);
  }

  all(): readonly Probe[] {
    return this.#probes;
  }
}
