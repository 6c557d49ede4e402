import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { MalformedEncodingError } from './errors.js';
import { parseJson, parseShape } from './json.js';

const schema = z.object({ inner: z.object({ count: z.number() }) });
const fail = (reason: string): Error => new Error(reason);

describe('parseJson', () => {
  it('does not quote what it could not read', () => {
    const read = (): unknown => parseJson('{"secret": oops');
    expect(read).toThrow(MalformedEncodingError);
    expect(read).not.toThrow(/secret|oops/);
    expect(read).not.toThrow(expect.objectContaining({ cause: expect.anything() }));
  });
});

describe('parseShape', () => {
  it('returns the very value, unknown members and order included', () => {
    const value = { zebra: 1, inner: { count: 1, more: true } };
    expect(parseShape(schema, value, fail)).toBe(value);
  });

  it('reads JSON text as well', () => {
    expect(parseShape(schema, '{"inner":{"count":2}}', fail)).toEqual({ inner: { count: 2 } });
  });

  it('keeps a member called __proto__ as a mere member', () => {
    const value = parseShape(schema, '{"__proto__":{"inner":1},"inner":{"count":2}}', fail);
    expect(Object.keys(value)).toEqual(['__proto__', 'inner']);
  });

  it('names the wrong member and not its content', () => {
    const read = (): unknown => parseShape(schema, { inner: { count: 'secret' } }, fail);
    expect(read).toThrow(/^inner\.count: /);
    expect(read).not.toThrow(/secret/);
  });

  it('says so when the text is not JSON', () => {
    expect(() => parseShape(schema, 'secret', fail)).toThrow('it is not JSON');
  });
});
