import { describe, expect, it } from '@jest/globals';
import { inSteps, STEP_ROWS } from './in-steps.js';

/** Rows that wait to be removed, and what the event loop and others came to in between. */
function pile(rows: number) {
  const steps: number[] = [];
  let others = 0;
  let left = rows;
  const step = async (limit: number) => {
    const gone = Math.min(limit, left);
    left -= gone;
    steps.push(gone);
    setImmediate(() => (others += 1));
    return gone;
  };
  return { step, steps, left: () => left, others: () => others };
}

describe('A removal in steps', () => {
  it('goes on until there is no more', async () => {
    const { step, steps, left } = pile(2 * STEP_ROWS + 1);
    await inSteps(step);
    expect([steps, left()]).toEqual([[STEP_ROWS, STEP_ROWS, 1], 0]);
  });

  it('looks once more where the last step was a full one', async () => {
    const { step, steps } = pile(20);
    await inSteps(step, { rows: 10 });
    expect(steps).toEqual([10, 10, 0]);
  });

  it('lets others do their work between two steps', async () => {
    const { step, others } = pile(50);
    await inSteps(step, { rows: 10 });
    expect(others()).toBeGreaterThanOrEqual(4);
  });

  it('leaves the rest of very many to the next run', async () => {
    const { step, steps, left } = pile(2_500);
    await inSteps(step, { rows: 2 });
    expect([steps.length, left()]).toEqual([1_000, 500]);
    await inSteps(step, { rows: 2 });
    expect(left()).toBe(0);
  });

  it('ends between two steps when it is told to, also while it rests', async () => {
    const stopping = new AbortController();
    const { step, steps } = pile(50);
    const running = inSteps(
      async (limit) => {
        const gone = await step(limit);
        if (steps.length === 2) stopping.abort();
        return gone;
      },
      { rows: 10, signal: stopping.signal },
    );
    await running;
    expect(steps).toEqual([10, 10]);
    await inSteps(step, { rows: 10, signal: stopping.signal });
    expect(steps).toEqual([10, 10]);
  });

  it('hands on what a step fails with', async () => {
    await expect(inSteps(() => Promise.reject(new Error('no database')))).rejects.toThrow('no database');
  });
});
