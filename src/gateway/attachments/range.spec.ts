import { describe, expect, it } from '@jest/globals';
import { parseRange } from './range.js';

describe('parseRange', () => {
  it.each([
    ['bytes=0-0', { from: 0, to: 0 }],
    ['bytes=0-', { from: 0, to: 99 }],
    ['bytes=10-19', { from: 10, to: 19 }],
    ['Bytes = 10 - 19', { from: 10, to: 19 }],
    ['bytes=99-', { from: 99, to: 99 }],
    ['bytes=90-1000', { from: 90, to: 99 }],
    ['bytes=-1', { from: 99, to: 99 }],
    ['bytes=-100', { from: 0, to: 99 }],
    ['bytes=-1000', { from: 0, to: 99 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=100-200', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=19-10', null],
    ['bytes=0-1,5-6', null],
    ['bytes=-', null],
    ['bytes=a-b', null],
    ['bytes=0x10-', null],
    ['lines=0-1', null],
    ['bytes=99999999999999999999-', null],
    ['', null],
    [undefined, null],
  ])('%s of 100 bytes', (header, range) => expect(parseRange(header, 100)).toEqual(range));
});
