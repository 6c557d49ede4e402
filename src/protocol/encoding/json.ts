import type { z } from 'zod';
import { MalformedEncodingError } from './errors.js';

/** @throws MalformedEncodingError. The parser's own error is not kept as cause, since it quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedEncodingError({ encoding: 'JSON' });
  }
}

/**
 * Checks the shape of JSON text, or of a value parsed from it, and returns that very value rather than the schema's
 * copy: members we do not know and those that are absent count for signatures, so they stay exactly as they came.
 * @param fail makes the error to throw; its reason names the member that is wrong and never quotes content.
 */
export function parseShape<Shape>(
  schema: z.ZodType<Shape>,
  input: unknown,
  fail: (reason: string, cause?: unknown) => Error,
): Shape {
  const value = typeof input === 'string' ? jsonOr(input, fail) : input;
  const { error } = schema.safeParse(value);
  if (error === undefined) return value as Shape;
  const { path, message } = error.issues[0]!;
  throw fail(path.length === 0 ? message : `${path.join('.')}: ${message}`);
}

function jsonOr(text: string, fail: (reason: string, cause: unknown) => Error): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw fail('it is not JSON', cause);
  }
}
