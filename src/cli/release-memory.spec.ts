import { setImmediate } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { releaseMemory } from './release-memory.js';

it('lets go of what nobody uses any more, and of nothing else', async () => {
  const used = new WeakRef({ text: 'used' });
  const keeper = used.deref();
  const unused = new WeakRef({ text: 'unused' });
  await setImmediate(); // a reference made in this turn of the event loop holds until its end
  releaseMemory();
  expect(unused.deref()).toBeUndefined();
  expect(used.deref()).toBe(keeper);
});
