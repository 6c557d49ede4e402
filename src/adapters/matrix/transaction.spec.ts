import { describe, expect, it } from '@jest/globals';
import { readTransaction } from './transaction.js';

const isOurs = (id: string) => id.startsWith('@dm3');
const event = (more: object) => ({
  type: 'm.room.message',
  event_id: '$1',
  room_id: '!r',
  sender: '@alice:hs.test',
  ...more,
});
const text = { msgtype: 'm.text', body: 'hello' };
const read = (...events: object[]) => readTransaction({ events }, isOurs);

describe('a transaction', () => {
  it('brings what others said, and apart from it what our ghosts said', () => {
    const hers = event({ content: text });
    const ours = event({ sender: '@dm3_bob.eth:hs.test', content: text });
    const reaction = { ...ours, type: 'm.reaction', content: { 'm.relates_to': {} } };
    expect(read(hers, ours, reaction)).toMatchObject({ events: [hers], echoes: [ours, reaction] });
  });

  it.each([
    ['a notice', { content: { msgtype: 'm.notice', body: 'hello' } }],
    ['a membership', { type: 'm.room.member', state_key: '@dm3_bob.eth:hs.test', content: { membership: 'join' } }],
    ['a state', { type: 'm.room.message', state_key: '', content: text }],
    ['a poll', { type: 'm.poll.start', content: {} }],
  ])('passes over %s of our own', (_, more) => {
    expect(read(event({ sender: '@dm3_bob.eth:hs.test', ...more }))).toEqual({ events: [], echoes: [], unreadable: 0 });
  });

  it('takes no command of a member from anybody else', () => {
    const forged = event({
      type: 'network.dm3.command',
      content: { name: 'bob.eth', identity: '0x0', body: '!dm3 leave' },
    });
    expect(read(forged, { ...forged, sender: '@dm3_bob.eth:hs.test' })).toEqual({
      events: [],
      echoes: [],
      unreadable: 0,
    });
  });

  it('counts what is no event', () => {
    expect(read(event({}), { type: 1 }, [])).toMatchObject({ unreadable: 2 });
    expect(() => readTransaction({ events: {} }, isOurs)).toThrow('This is no transaction');
  });
});
