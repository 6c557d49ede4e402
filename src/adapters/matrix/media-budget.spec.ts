import { describe, expect, it } from '@jest/globals';
import { assert, array, asyncProperty, integer } from 'fast-check';
import { MediaBudget, type Release } from './media-budget.js';

/** What has been admitted so far, in order. */
function track(budget: MediaBudget) {
  const admitted: { bytes: number; release: Release }[] = [];
  const ask = (bytes: number) =>
    budget.reserve(bytes).then((release) => {
      admitted.push({ bytes, release });
    });
  return { admitted, ask };
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('memory for files', () => {
  it('is shared out in order: a large one is not overtaken', async () => {
    const { admitted, ask } = track(new MediaBudget(10));
    const asked = [6, 8, 1].map(ask);
    await turn();
    expect(admitted.map(({ bytes }) => bytes)).toEqual([6]);
    admitted[0]!.release();
    admitted[0]!.release();
    await Promise.all(asked);
    expect(admitted.map(({ bytes }) => bytes)).toEqual([6, 8, 1]);
  });

  it('is all for one that is larger than everything', async () => {
    const { admitted, ask } = track(new MediaBudget(10));
    const asked = [1_000, 1].map(ask);
    await turn();
    expect(admitted).toHaveLength(1);
    admitted[0]!.release();
    await Promise.all(asked);
  });

  it('is waited for so long; who stood behind a large file that gave up has his turn', async () => {
    const { admitted, ask } = track(new MediaBudget(10, 20));
    await ask(6);
    const refused = await Promise.allSettled([ask(8), ask(3)]);
    expect(refused).toMatchObject([
      { status: 'rejected', reason: { code: 'MEMORY_BUSY', retryable: true } },
      { status: 'fulfilled' },
    ]);
    admitted.forEach(({ release }) => release());
    await ask(10);
    expect(admitted.map(({ bytes }) => bytes)).toEqual([6, 3, 10]);
  });

  it('is never more than there is, and everybody has his turn', async () => {
    await assert(
      asyncProperty(array(integer({ min: 0, max: 15 }), { maxLength: 30 }), async (sizes) => {
        const { admitted, ask } = track(new MediaBudget(10));
        const asked = sizes.map(ask);
        for (let done = 0; done < sizes.length; done += 1) {
          await turn();
          const held = admitted.slice(done).reduce((sum, { bytes }) => sum + Math.min(bytes, 10), 0);
          expect(held).toBeLessThanOrEqual(10);
          admitted[done]!.release();
        }
        await Promise.all(asked);
        expect(admitted.map(({ bytes }) => bytes)).toEqual(sizes);
      }),
      { numRuns: 50 },
    );
  });
});
