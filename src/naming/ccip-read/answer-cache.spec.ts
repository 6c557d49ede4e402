import { describe, expect, it } from '@jest/globals';
import { AnswerCache } from './answer-cache.js';

const answer = (data: string, expires = 100) => ({ data, expires });

describe('AnswerCache', () => {
  it('keeps the last answer to each request, for as long as it holds', () => {
    const cache = new AnswerCache();
    cache.keep('who', answer('0x01'));
    cache.keep('who', answer('0x02'));
    expect(cache.take('what', 0)).toBeNull();
    expect(cache.take('who', 99)).toEqual(answer('0x02'));
    expect(cache.take('who', 100)).toBeNull();
  });

  it('forgets what was asked for longest ago once it holds too much, and only then', () => {
    const cache = new AnswerCache(30);
    for (const request of ['first', 'again', 'third']) cache.keep(request, answer('0x012'));
    cache.take('again', 0);
    cache.take('first', 0);
    cache.keep('new', answer('0x0'));
    expect(['first', 'again', 'third', 'new'].filter((request) => cache.take(request, 0))).toEqual([
      'first',
      'again',
      'new',
    ]);
  });

  it('keeps nothing that is larger than all it may hold, and counts what it gave up', () => {
    const cache = new AnswerCache(30);
    cache.keep('large', answer('0x'.padEnd(40, '0')));
    expect(cache.take('large', 0)).toBeNull();
    for (const request of ['one', 'two']) cache.keep(request, answer('0x012'));
    expect(cache.take('one', 0)).not.toBeNull();
    expect(cache.take('two', 0)).not.toBeNull();
  });
});
