import { describe, expect, it } from '@jest/globals';
import { assert, pre, property, tuple } from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import type { EnsName } from '../../common/ids.js';
import { ghostId, ghostName, isGhostId } from './ghost-id.js';

const SERVER = 'hs.test';
const id = (name: string) => ghostId(name as EnsName, SERVER);

describe('the ids of ghosts', () => {
  it.each([
    ['bob.eth', '@dm3_bob.eth:hs.test'],
    ['a-b_c.eth', '@dm3_a-b_c.eth:hs.test'],
    ['🦊.eth', '@dm3_=f0=9f=a6=8a.eth:hs.test'],
    ['a=b.eth', '@dm3_a=3db.eth:hs.test'],
    ['straße.eth', '@dm3_stra=c3=9fe.eth:hs.test'],
  ])('of %s is %s', (name, expected) => {
    expect(id(name)).toBe(expected);
    expect(ghostName(expected, SERVER)).toEqual({ kind: 'name', name });
  });

  it('can be read back, and hold nothing that Matrix does not allow', () => {
    const names = anyText({ minLength: 1, maxLength: 60 }).filter((name) => name.isWellFormed());
    assert(
      property(names, (name) => {
        const userId = id(name);
        expect(userId).toMatch(/^@dm3_[a-z0-9._=\-/+]+:hs\.test$/);
        expect(Buffer.byteLength(userId)).toBeLessThanOrEqual(255);
        const read = ghostName(userId, SERVER);
        expect(read).toEqual(userId.startsWith('@dm3_=h') ? { kind: 'hashed' } : { kind: 'name', name });
      }),
    );
  });

  it('differ for different names', () => {
    const pairs = tuple(anyText({ minLength: 1 }), anyText({ minLength: 1 }));
    assert(
      property(pairs, ([one, other]) => {
        pre(one !== other && one.isWellFormed() && other.isWellFormed());
        expect(id(one)).not.toBe(id(other));
      }),
    );
  });

  it('of long names are hashes of the same length', () => {
    const long = `${'🦊'.repeat(40)}.eth`;
    expect(id(long)).toMatch(/^@dm3_=h[0-9a-f]{64}:hs\.test$/);
    expect(ghostName(id(long), SERVER)).toEqual({ kind: 'hashed' });
  });

  it.each([
    '@bob:hs.test',
    '@dm3_bob.eth:elsewhere.test',
    '@dm3_:hs.test',
    '@dm3_Bob.eth:hs.test',
    '@dm3_=62ob.eth:hs.test', // the one spelling of b is b
    '@dm3_=ff.eth:hs.test',
    '@dm3_=F0=9F=A6=8A.eth:hs.test',
    '@dm3_=h12:hs.test',
    '@dm3_bob eth:hs.test',
  ])('%s stands for nobody', (userId) => {
    expect(ghostName(userId, SERVER)).toBeNull();
  });

  it('are ours also where they stand for nobody', () => {
    expect(isGhostId('@dm3_Bob:hs.test', SERVER)).toBe(true);
    expect(isGhostId('@dm3_bob.eth:hs.test.elsewhere', SERVER)).toBe(false);
  });
});
