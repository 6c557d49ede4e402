import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import { objectionTo, skeletonOf } from './user-label.js';

describe('objectionTo', () => {
  it.each(['bob', 'alice-2', 'привет', 'münchen', '0x1f'])('lets somebody have %s', (label) => {
    expect(objectionTo(label)).toBeNull();
  });

  it.each([
    ['ab', /fewer than 3 letters/],
    ['', /fewer than 3 letters/],
    ['a'.repeat(64), /more than 63 bytes/],
    ['bob.alice', /a dot/],
    ['Bob', /not in normal form/],
    ['faß', /not in normal form/], // clients with ethers 5 read it as fass
    ['bоb', /not in normal form/], // a Cyrillic o among Latin letters
    ['рауса', /not in normal form/], // all Cyrillic, and looks like Latin
    ['bo\u{200b}b', /not in normal form/],
    ['bob ', /not in normal form/],
    ['bo..b', /a dot/],
    ['xn--bb-xja', /hyphen|normal form/],
    ['-bob', /hyphen/],
    ['bob-', /hyphen/],
    ['bo--b', /hyphen/],
    ['_at', /hyphen/],
    ['postmaster', /reserved/],
    ['email', /reserved/],
    ['adrnin', /looks like a reserved one/],
    ['supp0rt', /looks like a reserved one/],
  ])('says why nobody gets %j', (label, reason) => expect(objectionTo(label)).toMatch(reason));

  it('keeps what the operator keeps', () => {
    expect(objectionTo('treasury', ['treasury'])).toBe('is reserved');
  });

  it('never throws', () => {
    fc.assert(fc.property(anyText(), (text) => void objectionTo(text)));
  });
});

describe('skeletonOf', () => {
  it.each([
    ['paypa1', 'paypal'],
    ['b0b', 'bob'],
    ['rnike', 'mike'],
    ['vvendy', 'wendy'],
  ])('%s looks like %s', (one, other) => expect(skeletonOf(one)).toBe(skeletonOf(other)));

  it('keeps apart what reads differently', () => {
    expect(new Set(['bob', 'bobby', 'rob', 'bo-b', 'nike', 'mike'].map(skeletonOf)).size).toBe(6);
  });
});
