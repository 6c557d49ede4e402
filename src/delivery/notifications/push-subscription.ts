import { ECDH } from 'node:crypto';
import { z } from 'zod';
import { RecipientInvalidError } from './errors.js';

const AUTH_BYTES = 16;
const POINT_BYTES = 65;

const base64Url = z
  .string()
  .max(200)
  .regex(/^[\w+/-]+={0,2}$/);
const schema = z.object({
  endpoint: z.url().max(2_000),
  keys: z.object({
    p256dh: base64Url.refine(isCurvePoint, 'expected an uncompressed point on P-256'),
    auth: base64Url.refine((text) => bytesOf(text).length === AUTH_BYTES, 'expected 16 bytes'),
  }),
});

/** Where a browser gets pushes, and the keys they are encrypted for (W3C Push API: PushSubscription). */
export type PushSubscription = z.output<typeof schema>;

/**
 * Reads a subscription as browsers give it to their page, and drops what pushing does not need.
 * @param value an object, or its JSON text
 * @param allowHttp for a sandbox; push services are reached over https only (RFC 8030 §8)
 * @throws RecipientInvalidError
 */
export function parsePushSubscription(value: unknown, { allowHttp }: { allowHttp: boolean }): PushSubscription {
  const { success, data, error } = schema.safeParse(typeof value === 'string' ? parsed(value) : value);
  if (!success) throw invalid('it needs endpoint, keys.p256dh and keys.auth of a Web Push subscription', error);
  const { protocol, username, password } = new URL(data.endpoint);
  if (protocol !== 'https:' && !(allowHttp && protocol === 'http:')) throw invalid('its endpoint is not an https URL');
  if (username !== '' || password !== '') throw invalid('its endpoint carries a user name or password');
  return data;
}

function invalid(reason: string, cause?: unknown): RecipientInvalidError {
  return new RecipientInvalidError({ reason: `Invalid push value: ${reason}.`, cause });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'base64url'); // takes both alphabets
}

function isCurvePoint(text: string): boolean {
  const point = bytesOf(text);
  if (point.length !== POINT_BYTES) return false;
  try {
    return ECDH.convertKey(point, 'prime256v1').length > 0;
  } catch {
    return false;
  }
}
