import { describe, expect, it } from '@jest/globals';
import { cleanFileName, cleanLine, cleanText } from './text.js';

describe('text from outside', () => {
  it('becomes one line', () => {
    expect(cleanLine(' a\r\nb\0c\u0085d \u202eexe ', 50)).toBe('a b c d exe');
    expect(cleanLine('🦊🦊🦊', 2)).toBe('🦊…');
    expect(cleanLine('👩\u200d🚀', 3)).toBe('👩\u200d🚀');
  });

  it('keeps its lines and tabs but no other controls', () => {
    expect(cleanText('a\r\nb\rc\n\td\0\x1b[31m')).toBe('a\nb\nc\n\td[31m');
  });

  it('becomes a file name', () => {
    expect(cleanFileName('../etc/pass\nwd', 'x')).toBe('.._etc_pass wd');
    expect(cleanFileName(undefined, 'x')).toBe('x');
    expect(cleanFileName('..', 'x')).toBe('x');
  });
});
