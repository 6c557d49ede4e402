import { expect } from '@jest/globals';
import type { HttpAnswer } from './http-answer.js';

/** Nothing of our insides may show: no frames, no files, no names of classes, no SQL. */
export function expectNoInsides({ text }: HttpAnswer): void {
  expect(text).not.toMatch(/\bat .+:\d+:\d+|node_modules|\/src\/|\.[jt]s\b|TypeError|ZodError|SELECT|INSERT/);
}

/** A JSON-RPC error in whole sentences, and a status that is no success. The id is that of the suites' requests. */
export function expectRpcError(
  answer: HttpAnswer,
  code: number,
  { id = 'x-7', status }: { id?: unknown; status?: number } = {},
): void {
  expect(answer.json).toEqual({
    jsonrpc: '2.0',
    id,
    error: expect.objectContaining({ code, message: expect.stringMatching(/^[A-Z][^\n]{10,}\.$/) }),
  });
  expect(answer.type).toMatch(/^application\/json/);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  if (status !== undefined) expect(answer.status).toBe(status);
  expectNoInsides(answer);
}

/** Clients read `error` or `message`. */
export function expectRestError(answer: HttpAnswer, status: number, words: RegExp): void {
  expect(answer.json).toMatchObject({ error: expect.stringMatching(words), message: expect.stringMatching(words) });
  expect(answer.status).toBe(status);
  expectNoInsides(answer);
}
