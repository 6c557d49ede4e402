import { describe, expect, it } from '@jest/globals';
import { Wake } from './wake.js';

const LONG_MS = 3_600_000;

describe('Wake', () => {
  it('ends a wait that is under way', async () => {
    const wake = new Wake();
    const waiting = wake.wait(LONG_MS);
    wake.raise();
    await expect(waiting).resolves.toBe(true);
  });

  it('keeps a signal that came before the wait, once', async () => {
    const wake = new Wake();
    wake.raise();
    wake.raise();
    await wake.wait(LONG_MS);
    let second = false;
    const waiting = wake.wait(LONG_MS).then(() => (second = true));
    await new Promise(setImmediate);
    expect(second).toBe(false);
    wake.raise();
    await waiting;
  });

  it('gives up after the time given', async () => {
    await expect(new Wake().wait(1)).resolves.toBe(false);
  });
});
