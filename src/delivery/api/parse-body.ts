import type { z } from 'zod';
import { GatewayError } from '../../common/errors.js';

/** A request body of the wrong shape; clients look for `invalid schema`. */
export class InvalidBodyError extends GatewayError {
  constructor({ cause }: { cause: unknown }) {
    super({ code: 'INVALID_BODY', kind: 'invalid-input', message: 'invalid schema', cause });
  }
}

/** @throws InvalidBodyError */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (!result.success) throw new InvalidBodyError({ cause: result.error });
  return result.data;
}
