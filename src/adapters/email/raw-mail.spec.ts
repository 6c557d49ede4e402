import { describe, expect, it } from '@jest/globals';
import { headerValues, refuseBareLineEnds, refuseLoops, splitMail } from './raw-mail.js';

const bytes = (text: string) => Buffer.from(text);

describe('splitMail', () => {
  it.each([
    ['A: b\r\n\r\nbody\n\nmore', 'A: b', 'body\n\nmore'],
    ['A: b\n\nbody\r\n\r\nmore', 'A: b', 'body\r\n\r\nmore'],
    ['A: b', 'A: b', ''],
  ])('%j', (raw, header, body) => {
    expect(splitMail(bytes(raw))).toEqual({ header: bytes(header), body: bytes(body) });
  });
});

describe('headerValues', () => {
  it('unfolds, in order, whatever the case of the name', () => {
    const header = bytes('Received: one\r\n\ttwo\r\nX: y\r\nRECEIVED:three\r\nReceivedX: no');
    expect(headerValues(header, 'Received')).toEqual(['one\ttwo', 'three']);
  });
});

describe('refuseBareLineEnds', () => {
  it.each(['a\nb\r\n', '\na', 'a\rb\r\n', 'a\r', 'a\r\r\n', 'a\n.\n', 'a\r\n.\n', 'a\n.\r\n'])('refuses %j', (text) => {
    expect(() => refuseBareLineEnds(bytes(text))).toThrow(expect.objectContaining({ code: 'MALFORMED_MAIL' }));
  });

  it('takes CR LF, and text without an end', () => {
    expect(() => refuseBareLineEnds(bytes('a\r\n\r\nb'))).not.toThrow();
  });
});

describe('refuseLoops', () => {
  const loops = (header: string) => () =>
    refuseLoops(bytes(header), { markHeader: 'X-Loop', isOwnMark: (value) => value === 'mine' });

  it('counts hops and knows our mark', () => {
    expect(loops('Received: x\r\n'.repeat(50))).not.toThrow();
    expect(loops('Received: x\r\n'.repeat(51))).toThrow(expect.objectContaining({ code: 'MAIL_LOOP' }));
    expect(loops('X-Loop: mine')).toThrow(expect.objectContaining({ code: 'MAIL_LOOP' }));
    expect(loops('X-Loop: yours')).not.toThrow();
  });
});
