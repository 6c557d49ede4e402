import { describe, expect, it } from '@jest/globals';
import type { EnsName, EthAddress } from '../../../common/ids.js';
import { commandIn, memberCommand, readCommand, readMemberCommand } from './command-text.js';

const said = (content: object, more: object = {}) =>
  commandIn({
    type: 'm.room.message',
    event_id: '$1',
    room_id: '!r',
    sender: '@a:b',
    content: content as never,
    ...more,
  });
const text = (body: string) => ({ msgtype: 'm.text', body });

describe('a command', () => {
  it.each([
    ['!dm3', { verb: 'help', words: [] }],
    ['  !dm3   bridge bob.eth\n carol.eth ', { verb: 'bridge', words: ['bob.eth', 'carol.eth'] }],
    ['!DM3 Help', { verb: 'help', words: [] }],
    ['!dm3bridge bob.eth', null],
    ['please !dm3 help', null],
    ['', null],
  ])('%j is read as %j', (body, expected) => {
    expect(readCommand(body)).toEqual(expected);
    expect(said(text(body))).toEqual(expected);
  });

  it('may be what somebody changes his words to, and not what they were', () => {
    const edit = (old: string, now: string) => ({ ...text(old), 'm.new_content': text(now) });
    expect(said(edit('* !dm3 help', '!dm3 help'))).toEqual({ verb: 'help', words: [] });
    expect(said(edit('!dm3 help', 'never mind'))).toBeNull();
  });

  it('may answer something', () => {
    expect(said(text('> <@b:c> words\n\n!dm3 members'))).toEqual({ verb: 'members', words: [] });
  });

  it.each([
    ['a notice', { ...text('!dm3 help'), msgtype: 'm.notice' }, {}],
    ['a state', text('!dm3 help'), { state_key: '' }],
    ['another event', text('!dm3 help'), { type: 'm.sticker' }],
    ['no text', { msgtype: 'm.text', body: 7 }, {}],
  ])('is not %s', (_, content, more) => {
    expect(said(content, more)).toBeNull();
  });

  it('of a member is carried to where events are handled', () => {
    const [name, identity] = ['bob.eth' as EnsName, `0x${'b0'.repeat(20)}` as EthAddress];
    const event = memberCommand({ roomId: '!r', message: 'ab', name, identity, body: '!dm3 leave' });
    expect(event).toMatchObject({ room_id: '!r', event_id: 'network.dm3.command ab' });
    expect(readMemberCommand(event)).toEqual({ name, identity, command: { verb: 'leave', words: [] } });
  });
});
