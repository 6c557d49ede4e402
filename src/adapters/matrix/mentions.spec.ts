import { describe, expect, it } from '@jest/globals';
import { linkTo, mentionsIn, wordsOfLink } from './mentions.js';
import type { Part } from './rendering.js';
import { textPart } from './to-matrix.js';

const PEOPLE = [{ id: '@dm3_bob.eth:hs.test', names: ['bob.eth'] }];

describe('names in a text', () => {
  it('become so many links at most, and the rest stay words', () => {
    const text = Array.from({ length: 150 }, () => 'bob.eth').join(' ');
    expect(mentionsIn(text, PEOPLE)).toHaveLength(100);
    const part = textPart(text, PEOPLE) as Extract<Part, { kind: 'text' }>;
    expect(part.html!.match(/<a /g)).toHaveLength(100);
    expect(part.html!.match(/bob\.eth<\/a>/g)).toHaveLength(100);
    expect(part.html!.match(/ bob\.eth(?=[ <])/g)).toHaveLength(50);
    expect(part.mentions).toEqual(['@dm3_bob.eth:hs.test']);
  });
});

describe('a link to a message', () => {
  it('is one that is understood here, too', () => {
    expect(linkTo('!old', '$a/b')).toBe('https://matrix.to/#/!old/%24a%2Fb');
    expect(wordsOfLink(linkTo('!old:hs.test', '$a'), (id) => id)).toBe('a message on Matrix');
  });
});
