import { describe, expect, it } from '@jest/globals';
import { AccessList } from './access.js';
import { matrixConfigSchema } from './config.js';
import { Once } from './once.js';

const given = (lists: object) =>
  matrixConfigSchema.safeParse({
    homeserverUrl: 'http://127.0.0.1:8008',
    serverName: 'hs.org',
    registrationFile: 'none',
    ...lists,
  });
const listOf = (lists: object) => new AccessList(given(lists).data!);

describe('AccessList', () => {
  it.each([
    [{}, '@x:anywhere.org', true],
    [{ block: ['*:evil.org'] }, '@x:evil.org', false],
    [{ block: ['*:evil.org'] }, '@x:good.org', true],
    [{ allow: ['@*:hs.org'] }, '@x:hs.org', true],
    [{ allow: ['@*:hs.org'] }, '@x:evil.org', false],
    [{ allow: ['@*:hs.org'], block: ['@x:*'] }, '@x:hs.org', false],
    [{ block: ['*'] }, '@x:hs.org', false],
  ])('%j for %s: %s', (lists, user, allowed) => expect(listOf(lists).allows(user)).toBe(allowed));

  it.each([[{ block: ['evil.org'] }], [{ allow: [] }], [{ allow: ['alice:hs.org'] }], [{ allow: '*' }]])(
    'is not made of %j',
    (lists) => expect(given(lists).success).toBe(false),
  );
});

describe('Once', () => {
  it('does a thing again if it failed, and when so much else was done that it is forgotten', async () => {
    const once = new Once(2);
    const fails = () => Promise.reject(new Error('no'));
    const works = () => Promise.resolve();
    await expect(once.do('a', fails)).rejects.toThrow('no');
    expect(await once.do('a', works)).toBe(true);
    expect(await once.do('a', fails)).toBe(false);
    for (const other of ['b', 'c']) expect(await once.do(other, works)).toBe(true);
    expect(await once.do('a', works)).toBe(true);
  });
});
