import { describe, expect, it } from '@jest/globals';
import { INVISIBLE } from './invisible.js';
import { quoted } from './ens-name.js';

describe('INVISIBLE', () => {
  it.each([
    '\u0000',
    '\n',
    '\u0085',
    '\u2028',
    '\ud800',
    '\u00ad',
    '\u200b',
    '\u200e',
    '\u202e',
    '\u2066',
    '\ufeff',
    '\u034f',
    '\u{e0001}',
  ])('finds %j, and errors show it', (char) => {
    expect(INVISIBLE.test(`a${char}b`)).toBe(true);
    expect(quoted(`a${char}b`)).toMatch(/^[ -~]+$/);
  });

  it.each(['a b', 'é', '例え', '👨\u200d💻', '1\ufe0f\u20e3', '🏴\u{e0067}\u{e0062}\u{e007f}', 'می\u200cخواهم'])(
    'lets %j be',
    (text) => {
      expect(INVISIBLE.test(text)).toBe(false);
    },
  );
});
