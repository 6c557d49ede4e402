import { describe, expect, it } from '@jest/globals';
import { array, assert, constantFrom, integer, oneof, property, string } from 'fast-check';
import type { EnsName, EthAddress, ForeignAddress, RemoteId } from '../../common/ids.js';
import type { OutgoingMessage, OutgoingNotice } from '../../gateway/adapter/adapter.js';
import type { NeutralMessage } from '../../gateway/adapter/message.js';
import { edited, fitted, textContent, threaded } from './contents.js';
import { decodeRendering, type TextPart } from './rendering.js';
import { cleanText } from './text.js';
import { pieces, toMatrix, toNotice } from './to-matrix.js';

const SERVER = 'hs.test';
const neutral = (more: Partial<NeutralMessage> = {}): NeutralMessage => ({
  type: 'new',
  text: 'Hello *Alice*',
  attachments: [],
  sentAt: 1_790_000_000_000,
  ...more,
});
const outgoing = (more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  id: 'a1'.repeat(32),
  from: { name: 'bob.eth' as EnsName, address: `0x${'b0'.repeat(20)}` as EthAddress },
  to: 'matrix:u/alice:hs.test' as ForeignAddress,
  message: neutral(),
  conversation: null,
  target: null,
  ...more,
});
const rendered = (more: Partial<OutgoingMessage> = {}) => decodeRendering(toMatrix(outgoing(more), SERVER).body);

describe('a message of a dm3 user', () => {
  it('is said by his ghost, in the room of the conversation', () => {
    const conversation = { room: '!r', ghost: '@dm3_bob.eth:hs.test', thread: '$t', auto: false };
    expect(rendered({ conversation })).toMatchObject({
      kind: 'message',
      thread: '$t',
      speaker: { ghost: '@dm3_bob.eth:hs.test', user: '@alice:hs.test', room: '!r' },
      parts: [{ kind: 'text', body: 'Hello *Alice*', html: '<p>Hello <em>Alice</em></p>' }],
    });
    expect(toMatrix(outgoing({ conversation }), SERVER).conversation).toEqual(conversation);
  });

  it('without text begins with its first file; links are words', () => {
    const file = { name: 'a/b.png', mediaType: 'image/png', content: { bytes: Uint8Array.of(1, 2) } };
    const link = { name: 'page', mediaType: 'text/html', content: { uri: 'https://example.org/' } };
    expect(rendered({ message: neutral({ text: '', attachments: [file] }) })).toMatchObject({
      parts: [{ kind: 'file', name: 'a_b.png', base64: 'AQI=' }],
    });
    expect(rendered({ message: neutral({ attachments: [file, link] }) })).toMatchObject({
      parts: [{ kind: 'text', body: 'Hello *Alice*\n\n[page](https://example.org/)' }, { kind: 'file' }],
    });
  });

  it.each(['edit', 'delete'] as const)('may be followed by an %s of its author only', (type) => {
    const own = `dm3.${'ab'.repeat(20)}.0` as RemoteId;
    expect(rendered({ message: neutral({ type }), target: own })).toMatchObject({ kind: type, target: own });
    expect(() => toMatrix(outgoing({ message: neutral({ type }), target: '$hers' as RemoteId }), SERVER)).toThrow(
      'Only the author',
    );
  });

  it.each(['matrix:r/dev:hs.test', 'matrix:roomid/abc'])('goes to the room %s, whatever room that is then', (to) => {
    const conversation = { room: '!r', ghost: '@dm3bot:hs.test', thread: '$t', auto: false };
    const said = { to: to as ForeignAddress, conversation };
    const speaker = { portal: to, name: 'bob.eth' };
    expect(rendered(said)).toMatchObject({ kind: 'message', thread: null, speaker });
    // An answer goes where the question was asked; what is said of its own accord is said to all.
    expect(rendered({ ...said, target: '$q' as RemoteId })).toMatchObject({ thread: '$t', target: '$q', speaker });
    expect(toMatrix(outgoing(said), SERVER).conversation).toEqual({ ...conversation, thread: null });
  });

  it.each(['matrix:u/', 'matrix:u/alice', 'matrix:g/alice:hs.test'])('does not go to %s', (to) => {
    expect(() => toMatrix(outgoing({ to: to as ForeignAddress }), SERVER)).toThrow("is nobody's id on Matrix");
  });
});

describe('a long text', () => {
  it('is cut into pieces that make it up, each small enough', () => {
    assert(
      property(string({ unit: 'grapheme', minLength: 0, maxLength: 60 }), (text) => {
        const long = text.repeat(2_000);
        const parts = pieces(long);
        expect(parts.join('').replace(/[ \t\n]/g, '')).toBe(long.replace(/[ \t\n]/g, ''));
        for (const part of parts) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(12_000);
      }),
      { numRuns: 30 },
    );
  });
});

describe('an event', () => {
  const MAX_EVENT = 65_536;
  /** What homeservers put around a content: hashes, signatures, ids of other events. */
  const AROUND = 2_048;
  const EVENT = `$${'x'.repeat(254)}`;
  const partsOf = (text: string) =>
    (rendered({ message: neutral({ text }) }) as unknown as { parts: TextPart[] }).parts;
  /** Largest of all forms of all parts, bytes as the homeserver counts. */
  const largest = (parts: readonly TextPart[]) =>
    Math.max(
      ...parts.flatMap((part) => {
        const said = textContent(part);
        const forms = [{ ...said, ...threaded(EVENT, EVENT) }, edited(said, EVENT), edited(said, undefined)];
        return forms.map((form) => Buffer.byteLength(JSON.stringify(fitted(form))));
      }),
    );
  const words = (text: string) => text.replace(/[ \t\n]/g, '');
  const table = (columns: number, rows: number) =>
    ['head', '-', ...Array.from({ length: rows }, (_, row) => `c${row}`)]
      .map((cell) => `|${`${cell}|`.repeat(columns)}`)
      .join('\n');

  it.each([
    ['a list', '- an item of it\n'.repeat(750)],
    ['a list of very short lines', '- a\n'.repeat(3_000)],
    ['a table', table(4, 500)],
    ['a table of short rows under a long head', `${table(1_000, 0)}\n${'|a|\n'.repeat(800)}`],
    ['short lines with formatting', `*a*\n${'b\n'.repeat(6_000)}`],
    ['signs that HTML has other words for', `**a** ${'&'.repeat(12_000)}`],
    ['quotation marks and backslashes', '"\\\\'.repeat(10_000)],
    ['quotes in quotes', `${'>'.repeat(60)} a\n\n`.repeat(300)],
    ['pictures and writing from the right', '- 👩‍👩‍👧 שלום עולם\n'.repeat(700)],
    ['a sign that belongs to the file, not to the text', '\ufeff'.repeat(9_000)],
    ['names', '@alice:hs.test bob.eth '.repeat(1_000)],
  ])('takes %s, said or changed, as a whole', (_, text) => {
    const parts = partsOf(text);
    expect(largest(parts)).toBeLessThanOrEqual(MAX_EVENT - AROUND);
    expect(words(parts.map(({ body }) => body).join(''))).toBe(words(text));
  });

  it('takes any text as a whole', () => {
    const block = oneof(
      constantFrom(
        '- ',
        '1. ',
        '> ',
        '# ',
        '|a|b|\n|-|-|\n',
        '```\n',
        '    ',
        '**',
        '*',
        '`',
        '<b>',
        '&amp;',
        '&',
        '"',
        '\n',
        '\n\n',
      ),
      constantFrom('שלום ', 'مرحبا ', '👩‍👩‍👧', '\u202e', '\ufeff', '\ud800', '@alice:hs.test ', 'https://example.org/ '),
      string({ unit: 'grapheme', maxLength: 12 }),
    );
    assert(
      property(array(block, { minLength: 1, maxLength: 8 }), integer({ min: 1, max: 30_000 }), (blocks, bytes) => {
        const unit = blocks.join('');
        const text = unit.repeat(Math.ceil(bytes / Math.max(1, Buffer.byteLength(unit))));
        const parts = partsOf(text);
        expect(largest(parts)).toBeLessThanOrEqual(MAX_EVENT - AROUND);
        expect(words(parts.map(({ body }) => body).join(''))).toBe(words(cleanText(text).toWellFormed()));
      }),
      { numRuns: 100 },
    );
  }, 120_000);

  it('says what can be formatted with its formatting', () => {
    for (const text of ['- an item of it\n'.repeat(750), table(4, 500)]) {
      expect(partsOf(text).every(({ html }) => html !== null)).toBe(true);
    }
  });

  it('that was rendered before is said without the formatting that is too much', () => {
    const said = textContent({ kind: 'text', body: 'a'.repeat(12_000), html: `<p>${'b'.repeat(48_000)}</p>` });
    expect(fitted(said)).toEqual(said);
    const change = fitted(edited(said, EVENT));
    expect(change).not.toHaveProperty('formatted_body');
    expect(change['m.new_content']).not.toHaveProperty('formatted_body');
    const { 'm.new_content': fresh, ...fallback } = fitted(
      edited({ ...said, formatted_body: 'b'.repeat(30_000) }, EVENT),
    );
    expect(fresh).toHaveProperty('formatted_body');
    expect(fallback).not.toHaveProperty('formatted_body');
  });
});

describe('a notice', () => {
  const notice = (conversation: object): OutgoingNotice => ({
    id: 'c3'.repeat(32),
    status: 'failed',
    to: 'matrix:u/alice:hs.test' as ForeignAddress,
    receiver: 'bob.eth',
    about: '$asked' as RemoteId,
    reason: { code: 'EXPIRED', text: 'It was tried for days.' },
    conversation: conversation as OutgoingNotice['conversation'],
  });

  it('answers the event it is about', () => {
    const made = toNotice(notice({ room: '!r', ghost: '@dm3_bob.eth:hs.test', auto: false }))!;
    expect(decodeRendering(made.body)).toMatchObject({
      kind: 'notice',
      room: '!r',
      target: '$asked',
      text: 'Your message did not reach bob.eth. It was tried for days. (EXPIRED)',
    });
  });

  it.each([{}, { room: null, ghost: null }, { room: '!r', ghost: '@g:hs.test', auto: true }])(
    'is not made of %j',
    (context) => {
      expect(toNotice(notice(context))).toBeNull();
    },
  );
});
