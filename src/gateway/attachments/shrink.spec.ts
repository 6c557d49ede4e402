import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { NeutralAttachment, NeutralMessage } from '../adapter/message.js';
import { humanSize, linkLine, type LinkedFile } from './link.js';
import { messageBytes, shrink, type Measure, type Shelf } from './shrink.js';

const expiresAt = new Date('2026-12-03T22:00:00Z');
const shelf: Shelf = {
  maxBytes: 10_000,
  maxBytesPerMessage: 15_000,
  link: (file) => ({ ...file, link: { id: '1'.repeat(32), key: new Uint8Array(32), expiresAt } }),
  line: (file) => linkLine(file, 'https://gateway.test'),
};

const file = (name: string, size: number): NeutralAttachment => ({
  name,
  mediaType: 'image/png',
  content: { bytes: new Uint8Array(size) },
});
const message = (text: string, ...attachments: NeutralAttachment[]): NeutralMessage => ({
  type: 'new',
  text,
  attachments,
  sentAt: 0,
});
const upTo = (limit: number): Measure => ({
  frameBytes: 10,
  textBytes: (text) => Buffer.byteLength(text),
  attachmentBytes: ({ content }) => ('bytes' in content ? content.bytes.length : content.uri.length),
  fits: (bytes) => bytes <= limit,
});
const namesOf = (files: readonly { name: string }[]) => files.map(({ name }) => name);
const refusal = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

describe('shrink', () => {
  it('takes the largest first, and only as many as must be', () => {
    const whole = message('Hello', file('small', 400), file('large', 3_000), file('middle', 2_000), file('tiny', 5));
    const shrunk = shrink(whole, upTo(1_000), shelf)!;
    expect(namesOf(shrunk.files)).toEqual(['large', 'middle']);
    expect(namesOf(shrunk.message.attachments)).toEqual(['small', 'tiny']);
    const key = '0'.repeat(64);
    expect(shrunk.message.text).toBe(
      [
        'Hello',
        '',
        `📎 large (3.0 KB, until 3 December 2026): https://gateway.test/a/${'1'.repeat(32)}#${key}`,
        `📎 middle (2.0 KB, until 3 December 2026): https://gateway.test/a/${'1'.repeat(32)}#${key}`,
      ].join('\n'),
    );
  });

  it('makes a file of a text that is too long, keeps its beginning, and the attachments that fit then', () => {
    const text = 'word '.repeat(1_900);
    const shrunk = shrink(message(text, file('small', 400)), upTo(3_000), shelf)!;
    expect(namesOf(shrunk.files)).toEqual(['message.txt']);
    expect(Buffer.from(shrunk.files[0]!.bytes).toString()).toBe(text);
    expect(namesOf(shrunk.message.attachments)).toEqual(['small']);
    expect(shrunk.message.text).toMatch(/^(word ){399}word…\n\nThe whole text:\n📎 message\.txt \(9\.5 KB, until /);
  });

  it('keeps less of it where less is taken', () => {
    const shrunk = shrink(message('x'.repeat(9_000)), upTo(600), shelf)!;
    expect(shrunk.message.text).toMatch(/^x{200}…\n\nThe whole text:/);
  });

  it('cuts no character in two', () => {
    const shrunk = shrink(message('📦'.repeat(2_400)), upTo(9_000), shelf)!;
    expect(shrunk.message.text).toMatch(/^(📦){2000}…\n/u);
  });

  it('gives up where nothing helps', () => {
    expect(
      shrink(message('', { name: 'a', mediaType: 'a/b', content: { uri: 'x'.repeat(999) } }), upTo(500), shelf),
    ).toBeNull();
    expect(shrink(message('x'.repeat(11_000)), upTo(500), shelf)).toBeNull();
    expect(shrink(message('Hello', file('a', 5_000)), upTo(100), shelf)).toBeNull();
  });

  it('names the file that is too large for the shelf, with both sizes', () => {
    const error = refusal(() => shrink(message('', file('film.mp4', 10_001)), upTo(1_000), shelf));
    expect(error).toMatchObject({ code: 'ATTACHMENT_TOO_LARGE', kind: 'too-large', retryable: false });
    expect((error as Error).message).toMatch(/film\.mp4 has 10001 bytes\. .* 10000 bytes/);
  });

  it('leaves such a file in the message where others can go', () => {
    const shrunk = shrink(message('', file('film', 10_001), file('a', 9_000)), upTo(12_000), shelf)!;
    expect(namesOf(shrunk.files)).toEqual(['a']);
  });

  it('refuses more than the shelf takes of one message', () => {
    const error = refusal(() => shrink(message('', file('a', 9_000), file('b', 9_000)), upTo(1_000), shelf));
    expect(error).toMatchObject({ code: 'ATTACHMENTS_TOO_LARGE', facts: { sizeBytes: 18_000, limitBytes: 15_000 } });
  });

  it('always fits, loses nothing, and moves no more than must be', () => {
    const attachment = fc.record({
      name: fc.string({ minLength: 1, maxLength: 20 }),
      mediaType: fc.constant('a/b'),
      content: fc.nat({ max: 3_000 }).map((size) => ({ bytes: randomBytes(size) })),
    });
    fc.assert(
      fc.property(
        fc.array(attachment, { maxLength: 8 }),
        fc.nat({ max: 9_000 }),
        fc.nat({ max: 9_000 }),
        (all, length, limit) => {
          const whole = message('y'.repeat(length), ...all);
          const measure = upTo(limit);
          const generous = { ...shelf, maxBytesPerMessage: 1_000_000 };
          const shrunk = shrink(whole, measure, generous);
          if (!shrunk) return;
          const { files, message: rest } = shrunk;
          if (measure.fits(messageBytes(whole, measure))) expect(files).toEqual([]);
          expect(messageBytes(rest, measure)).toBeLessThanOrEqual(limit);
          const moved = files.filter(({ name }) => name !== 'message.txt');
          expect(moved.length + rest.attachments.length).toBe(all.length);
          const smallest = Math.min(...moved.map(({ bytes }) => bytes.length));
          const largest = Math.max(0, ...rest.attachments.map((each) => measure.attachmentBytes(each)));
          expect(smallest).toBeGreaterThanOrEqual(largest);
          expect(files.map((each: LinkedFile) => rest.text.includes(shelf.line(each)))).toEqual(files.map(() => true));
        },
      ),
    );
  });
});

describe('humanSize', () => {
  it.each([
    [0, '0 bytes'],
    [999, '999 bytes'],
    [1_000, '1.0 KB'],
    [9_999, '10 KB'],
    [312_400, '312 KB'],
    [999_499, '999 KB'],
    [999_500, '1.0 MB'],
    [5_242_880, '5.2 MB'],
    [25_000_000, '25 MB'],
    [2_500_000_000, '2.5 GB'],
  ])('%i bytes are %s', (bytes, text) => expect(humanSize(bytes)).toBe(text));
});
