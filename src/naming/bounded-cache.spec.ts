import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BoundedCache } from './bounded-cache.js';

let now: number;
let cache: BoundedCache<string>;

beforeEach(() => {
  now = 0;
  cache = new BoundedCache({ clock: { now: () => now }, maxEntries: 2, ttlMs: (value) => (value === '' ? 10 : 100) });
});

const giving = (value: string) => jest.fn(() => Promise.resolve(value));

describe('BoundedCache', () => {
  it('loads a value once while its time lasts', async () => {
    const load = giving('v');
    await expect(cache.get('k', load)).resolves.toBe('v');
    now = 99;
    await cache.get('k', load);
    expect(load).toHaveBeenCalledTimes(1);
    now = 100;
    await cache.get('k', load);
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('gives each value its own time, counted from the start of its loading', async () => {
    await cache.get('k', () => {
      now = 9;
      return Promise.resolve('');
    });
    now = 10;
    await expect(cache.get('k', giving('new'))).resolves.toBe('new');
  });

  it('shares one load among those who ask at once', async () => {
    let finish!: (value: string) => void;
    const load = jest.fn(() => new Promise<string>((resolve) => (finish = resolve)));
    const answers = Promise.all([cache.get('k', load), cache.get('k', load)]);
    finish('v');
    await expect(answers).resolves.toEqual(['v', 'v']);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('keeps no failure, and no old value because of one', async () => {
    await cache.get('k', giving('old'));
    now = 100;
    const broken = () => Promise.reject(new Error('down'));
    await expect(cache.get('k', broken)).rejects.toThrow('down');
    await expect(cache.get('k', broken)).rejects.toThrow('down');
    await expect(cache.get('k', giving('new'))).resolves.toBe('new');
  });

  it('forgets at once, also what is still being loaded', async () => {
    await cache.get('k', giving('old'));
    cache.forget('k');
    let finish!: (value: string) => void;
    const old = cache.get('k', () => new Promise<string>((resolve) => (finish = resolve)));
    cache.forget('k');
    await expect(cache.get('k', giving('new'))).resolves.toBe('new');
    finish('old');
    await expect(old).resolves.toBe('old');
    await expect(cache.get('k', giving('never'))).resolves.toBe('new');
  });

  it('recovers from a loader that throws at once', async () => {
    const thrower = () => {
      throw new Error('bug');
    };
    await expect(cache.get('k', thrower)).rejects.toThrow('bug');
    await expect(cache.get('k', giving('v'))).resolves.toBe('v');
  });

  it('forgets what was used least recently', async () => {
    await cache.get('a', giving('a'));
    await cache.get('b', giving('b'));
    await cache.get('a', giving('never'));
    await cache.get('c', giving('c'));
    await expect(cache.get('a', giving('never'))).resolves.toBe('a');
    await expect(cache.get('b', giving('b again'))).resolves.toBe('b again');
  });
});
