import { describe, expect, it } from '@jest/globals';
import { anything, assert, constantFrom, dictionary, oneof, property, string, tuple } from 'fast-check';
import { parseEvent, receiptsIn, type MatrixEvent } from './event.js';
import { fromMatrix } from './from-matrix.js';

const event = (content: object, more: object = {}): MatrixEvent =>
  ({ type: 'm.room.message', event_id: '$e', room_id: '!r', sender: '@a:hs.test', content, ...more }) as MatrixEvent;
const read = (content: object, more: object = {}) => fromMatrix(event(content, more), (id) => id);

describe('events of Matrix', () => {
  it.each([
    [
      { msgtype: 'm.text', body: 'hi' },
      { type: 'new', text: 'hi', file: null, about: [], thread: null },
    ],
    [{ msgtype: 'm.emote', body: 'waves' }, { text: '* waves' }],
    [
      { msgtype: 'm.notice', body: 'beep' },
      { text: 'beep', automatic: true },
    ],
    [{ msgtype: 'org.example.x', body: 'odd' }, { text: '[org.example.x] odd' }],
    [{ msgtype: 'm.location', body: 'here', geo_uri: 'javascript:x' }, { text: 'Location: here' }],
    [
      { msgtype: 'm.text', body: 'plain', format: 'org.matrix.custom.html', formatted_body: '<i>rich</i>' },
      { text: '_rich_' },
    ],
    [{ msgtype: 'm.text', body: 'plain', format: 'other', formatted_body: '<i>rich</i>' }, { text: 'plain' }],
  ])('%j', (content, expected) => {
    expect(read(content)).toMatchObject(expected);
  });

  it.each([
    ['without content, as what was deleted is', event({})],
    ['of the state of a room', event({ msgtype: 'm.text', body: 'x' }, { state_key: '' })],
    ['of calls under way', event({ body: 'x' }, { type: 'm.call.answer' })],
    ['that set up keys', event({ body: 'x' }, { type: 'm.key.verification.start' })],
    ['without words', event({}, { type: 'org.example.unknown' })],
    [
      'that react to nothing',
      event({ 'm.relates_to': { rel_type: 'm.annotation', key: 'x' } }, { type: 'm.reaction' }),
    ],
    ['that delete nothing', event({}, { type: 'm.room.redaction' })],
  ])('%s say nothing', (_, silent) => {
    expect(fromMatrix(silent, (id) => id)).toBeNull();
  });

  it('tell what they delete in both spellings', () => {
    const type = 'm.room.redaction';
    expect(read({}, { type, redacts: '$x' })).toMatchObject({ type: 'delete', about: ['$x'] });
    expect(read({ redacts: '$y' }, { type })).toMatchObject({ type: 'delete', about: ['$y'] });
  });

  describe('with files', () => {
    const image = (more: object) => read({ msgtype: 'm.image', body: 'a.png', url: 'mxc://hs.test/AbC_1-2', ...more });

    it('name them without folders, and their type without trust', () => {
      const info = { mimetype: 'IMAGE/PNG; x=1', size: 5 };
      expect(image({ body: '../../a.png', info })?.file).toEqual({
        server: 'hs.test',
        id: 'AbC_1-2',
        name: '.._.._a.png',
        mediaType: 'image/png',
        size: 5,
      });
      expect(image({ info: { mimetype: 'a/b"><script>', size: -1 } })?.file).toMatchObject({
        mediaType: 'image/png',
        size: null,
      });
    });

    it('have a caption only where it is not the name', () => {
      expect(image({})).toMatchObject({ text: '' });
      expect(image({ filename: 'a.png' })).toMatchObject({ text: '' });
      expect(image({ filename: 'b.png' })).toMatchObject({ text: 'a.png', file: { name: 'b.png' } });
    });

    it.each([undefined, 'https://evil.test/x', 'mxc://hs.test', 'mxc://hs.test/../x', 'mxc://a/b/c'])(
      'whose address is %s are words',
      (url) => {
        const message = image({ url });
        expect(message?.file).toBeNull();
        expect(message?.text).toContain('a.png');
      },
    );

    it('that are encrypted are words, without their keys', () => {
      const message = image({ url: undefined, file: { url: 'mxc://hs.test/x', key: { k: 'c2VjcmV0' } } });
      expect(message?.file).toBeNull();
      expect(message?.text).not.toContain('c2VjcmV0');
    });
  });

  it('may hold anything at all', () => {
    const keys = constantFrom(
      'body',
      'msgtype',
      'm.relates_to',
      'm.new_content',
      'url',
      'info',
      'formatted_body',
      'format',
    );
    const values = oneof(anything(), constantFrom('m.text', 'm.image', 'm.replace', 'org.matrix.custom.html', '<b>'));
    const types = constantFrom('m.room.message', 'm.reaction', 'm.room.redaction', 'm.sticker', 'm.poll.start', 'x');
    assert(
      property(tuple(types, dictionary(oneof(keys, string()), values)), ([type, content]) => {
        const said = read(content, { type });
        if (said) expect([typeof said.text, Array.isArray(said.about)]).toEqual(['string', true]);
      }),
    );
  });

  it('are told from what is none', () => {
    assert(property(anything(), (value) => void parseEvent(value)));
    assert(property(anything(), (value) => void receiptsIn(value)));
    expect(parseEvent({ type: 'x', event_id: '$e', room_id: '!r', sender: '@a:b' })).toMatchObject({ content: {} });
  });
});
