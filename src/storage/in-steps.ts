import { setTimeout as delay } from 'node:timers/promises';

/** Rows that one statement removes at most: few enough that nobody waits for it. */
export const STEP_ROWS = 1_000;
/** Steps of one kind in a run. What is left then is the next run's: every kind has its turn, however much there is. */
const STEPS = 1_000;
/** How long the database rests after a step, in times of what the step took: most of it belongs to requests. */
const REST = 2;

/** Of rows of one kind, in steps. */
export interface Removal {
  /** What is removed, for the log. */
  readonly what: string;
  /** Removes at most `limit` rows and returns how many. */
  readonly step: (limit: number) => Promise<number>;
  /** Rows in a step, where each brings others with it. */
  readonly rows?: number;
}

interface Limits {
  /** Rows in a step, where each brings others with it. */
  readonly rows?: number;
  /** Ends it between two steps. */
  readonly signal?: AbortSignal;
}

/**
 * Repeats a removal until it finds no more, or until there have been enough for now. Each step is committed by itself:
 * whatever ends it, what was done stays done.
 * @param step removes at most `limit` rows and returns how many
 */
export async function inSteps(
  step: (limit: number) => Promise<number>,
  { rows = STEP_ROWS, signal }: Limits = {},
): Promise<void> {
  for (let count = 0; count < STEPS; count += 1) {
    if (signal?.aborted) return;
    const began = performance.now();
    if ((await step(rows)) < rows) return;
    await rest((performance.now() - began) * REST, signal);
  }
}

async function rest(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {}); // called away: the caller sees it itself
}
