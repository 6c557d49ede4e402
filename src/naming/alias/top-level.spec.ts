import { describe, expect, it } from '@jest/globals';
import type { EnsName } from '../../common/ids.js';
import { AliasNames } from './alias-names.js';
import { emailCodec } from './email.js';
import { TopLevelAliases } from './top-level.js';

const aliases = new AliasNames({ rootName: 'gateway.eth' as EnsName, codecs: [emailCodec] });
const accepts = (name: EnsName) => aliases.accepts(name);
const any = () => true;

const table = (entries: Record<string, string>) => new TopLevelAliases(new Map(Object.entries(entries)));
const expand = (entries: Record<string, string>, name: string, takes: (name: EnsName) => boolean = accepts) =>
  table(entries).expand(name as EnsName, takes);
const shorten = (entries: Record<string, string>, name: string) => table(entries).shorten(name as EnsName);

const usual = { email: 'email.gateway.eth', gno: 'gnosis.eth' };

describe('expand', () => {
  it.each([
    ['alice._at.example.com.email', 'alice._at.example.com.email.gateway.eth'],
    [`h${'a'.repeat(52)}.email`, `h${'a'.repeat(52)}.email.gateway.eth`],
    ['bob.gno', 'bob.gnosis.eth'],
    ['a.b.gno', 'a.b.gnosis.eth'],
  ])('writes %s out', (short, full) => {
    expect(expand(usual, short)).toBe(full);
  });

  it.each([
    ['a real domain below a real top level', 'contact.email'],
    ['a spelling that is not canonical', '_xmfwgsy3f._at.example.com.email'],
    ['the top level itself', 'gno'],
    ['a label that only ends like it', 'bob.agno'],
    ['a top level in the middle', 'bob.gno.eth'],
    ['a name without a top-level alias', 'bob.eth'],
    ['a name written out already', 'alice._at.example.com.email.gateway.eth'],
  ])('leaves %s as it is', (_, name) => {
    expect(expand(usual, name)).toBe(name);
  });

  it('prefers the longest top level, and takes the next where that is not accepted', () => {
    const entries = { b: 'short.eth', 'a.b': 'long.eth' };
    expect(expand(entries, 'x.a.b')).toBe('x.long.eth');
    expect(expand(entries, 'x.a.b', (name) => name.endsWith('short.eth'))).toBe('x.a.short.eth');
    expect(expand(entries, 'x.c.b')).toBe('x.c.short.eth');
  });

  it('follows aliases of aliases', () => {
    const entries = { email: 'email.gw', gw: 'gateway.eth' };
    expect(expand(entries, 'alice._at.example.com.email')).toBe('alice._at.example.com.email.gateway.eth');
  });

  it.each([
    ['itself', { eth: 'sub.eth' }, 'bob.sub.eth'],
    ['one another', { a: 'x.b', b: 'y.a', eth: 'z.a' }, 'bob.z.x.y.a'],
  ])('ends where aliases lead to %s', (_, entries: Record<string, string>, end) => {
    expect(expand(entries, 'bob.eth', any)).toBe(end);
  });

  it('reads the table as people may have written it', () => {
    const entries = { GNO: 'Gnosis.ETH', 'bad top': 'gnosis.eth', bad: 'gnosis..eth', '': 'gnosis.eth' };
    expect(expand(entries, 'bob.gno')).toBe('bob.gnosis.eth');
    expect(expand(entries, 'bob.bad')).toBe('bob.bad');
  });

  it('leaves names that would become too long', () => {
    const name = `${`${'x'.repeat(48)}.`.repeat(5)}gno`;
    expect(expand(usual, name)).toBe(name);
  });
});

describe('shorten', () => {
  it.each([
    ['alice._at.example.com.email.gateway.eth', 'alice._at.example.com.email'],
    ['bob.gnosis.eth', 'bob.gno'],
  ])('takes the alias off %s, and back', (full, short) => {
    expect(shorten(usual, full)).toBe(short);
    expect(expand(usual, short)).toBe(full);
  });

  it.each(['gnosis.eth', 'bob.eth', 'bob.agnosis.eth'])('leaves %s as it is', (name) => {
    expect(shorten(usual, name)).toBe(name);
  });

  it('prefers the longest alias, then the shortest top level', () => {
    const entries = { gw: 'gateway.eth', email: 'email.gateway.eth', mail: 'email.gateway.eth' };
    expect(shorten(entries, 'alice._at.x.org.email.gateway.eth')).toBe('alice._at.x.org.mail');
  });

  it('never makes a name longer, nor one that means another', () => {
    expect(shorten({ 'much.longer.name': 'gnosis.eth' }, 'bob.gnosis.eth')).toBe('bob.gnosis.eth');
    expect(shorten({ b: 'gnosis.eth', 'a.b': 'other.eth' }, 'x.a.gnosis.eth')).toBe('x.a.b');
  });
});
