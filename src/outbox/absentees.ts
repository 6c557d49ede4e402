import type { Database } from '../storage/database.js';
import { absentHolders, takeBack } from './sign-of-life.js';

/**
 * A worker that is not to be seen has so long to show itself again. When the database restarts, all sessions are cut, and
 * who comes back first must not take the others for dead.
 */
export const GRACE_MS = 2_000;

/** Takes back at once what dead workers held: those who are not to be seen at two looks, the grace apart. */
export class Absentees {
  /** When each was missed first. */
  #missedAt = new Map<string, number>();

  /** @param self never looks for itself */
  constructor(
    private readonly db: Database,
    private readonly self: string,
    private readonly now = () => performance.now(),
  ) {}

  /** Whether there is somebody to look for again soon. */
  get areMissed(): boolean {
    return this.#missedAt.size > 0;
  }

  /** @returns how many leases it ended */
  async look(): Promise<number> {
    const [now, absent] = [this.now(), await absentHolders(this.db, this.self)];
    this.#missedAt = new Map(absent.map((holder) => [holder, this.#missedAt.get(holder) ?? now]));
    const dead = absent.filter((holder) => now - this.#missedAt.get(holder)! >= GRACE_MS);
    return dead.length > 0 ? takeBack(this.db, dead) : 0;
  }
}
