import { describe, expect, it } from '@jest/globals';
import { rightsOf } from './rights.js';

const created = (version: string, additional_creators: string[] = []) => ({
  sender: '@maker:hs.test',
  content: { room_version: version, additional_creators },
});
const may = (user: string, levels: unknown, version = '10', others: string[] = []) => {
  const { mayRule, mayInvite, mayRemove } = rightsOf(user, created(version, others), levels);
  return [mayRule && 'rule', mayInvite && 'invite', mayRemove && 'remove'].filter(Boolean).join(' ');
};

describe('what somebody may do in a room', () => {
  it.each([
    ['the defaults', {}, 'invite'],
    ['a moderator', { users: { '@a:hs.test': 50 } }, 'rule invite remove'],
    ['levels that are texts, as old rooms have them', { users: { '@a:hs.test': '50' } }, 'rule invite remove'],
    ['somebody below all', { users: { '@a:hs.test': -1 } }, ''],
    ['a room where all rule', { users_default: 100 }, 'rule invite remove'],
    [
      'a room with levels of its own',
      { users: { '@a:hs.test': 20 }, state_default: 90, kick: 10, invite: 30 },
      'remove',
    ],
    ['a name that every object has', { users: Object.create({ '@a:hs.test': 100 }) as object }, 'invite'],
    ['levels that are none', { users: 7 }, ''],
    ['levels beyond numbers', { users: { '@a:hs.test': 'all' } }, ''],
  ])('follows %s', (_, levels, expected) => {
    expect(may('@a:hs.test', levels)).toBe(expected);
  });

  it('is all where there are no levels, for the maker alone', () => {
    expect(may('@maker:hs.test', null)).toBe('rule invite remove');
    expect(may('@a:hs.test', null)).toBe('');
  });

  it('is all for the makers of rooms since version 12, whom no level names', () => {
    expect(may('@maker:hs.test', {}, '12')).toBe('rule invite remove');
    expect(may('@a:hs.test', {}, '12', ['@a:hs.test'])).toBe('rule invite remove');
    expect(may('@maker:hs.test', {}, '11')).toBe('invite');
    expect(may('@a:hs.test', {}, '11', ['@a:hs.test'])).toBe('invite');
  });
});
