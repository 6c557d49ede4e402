/** Rows that one statement removes at most: few enough that nobody waits for it. */
export const STEP_ROWS = 1_000;

/** Repeats a removal until it finds no more. @param step removes at most `limit` rows and returns how many */
export async function inSteps(step: (limit: number) => Promise<number>): Promise<void> {
  while ((await step(STEP_ROWS)) === STEP_ROWS);
}
