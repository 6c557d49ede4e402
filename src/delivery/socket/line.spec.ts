import { describe, expect, it } from '@jest/globals';
import { TooManySubmissionsError } from './errors.js';
import { Line } from './line.js';

describe('Line', () => {
  it('does one thing after the other, in order, and goes on after a failure', async () => {
    const line = new Line(10);
    const log: string[] = [];
    const work = (name: string, turns: number) => async () => {
      log.push(`${name} begins`);
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      if (name === 'b') throw new Error('b fails');
      log.push(`${name} ends`);
      return name;
    };
    const results = await Promise.allSettled([line.run(work('a', 9)), line.run(work('b', 3)), line.run(work('c', 0))]);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'c begins', 'c ends']);
    expect(results).toMatchObject([{ value: 'a' }, { reason: new Error('b fails') }, { value: 'c' }]);
  });

  it('refuses what would wait behind too many, and takes more when they are done', async () => {
    const line = new Line(2);
    let release = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const running = [line.run(() => released), line.run(async () => {})];
    await expect(line.run(async () => {})).rejects.toThrow(TooManySubmissionsError);
    release();
    await Promise.all(running);
    await expect(line.run(async () => 'taken')).resolves.toBe('taken');
  });
});
