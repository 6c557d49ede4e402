import { z } from 'zod';
import { parseShape } from '../encoding/json.js';
import { MalformedProfileError } from './errors.js';
import { decodeKeys, type PublicKeys } from './public-key.js';

/** What a delivery service publishes (dm3 MTP: delivery service profile). Nobody signs it: its ENS name vouches. */
export interface DeliveryServiceProfile {
  /** base64. */
  readonly publicSigningKey: string;
  /** base64. */
  readonly publicEncryptionKey: string;
  /** `http(s)`, without a slash at its end: clients append `/rpc`, `/auth/…`. */
  readonly url: string;
}

const schema: z.ZodType<DeliveryServiceProfile> = z.object({
  publicSigningKey: z.string(),
  publicEncryptionKey: z.string(),
  url: z.url({ protocol: /^https?$/, error: 'it is not an http(s) URL' }),
});

/**
 * @param value JSON text, or the object itself.
 * @throws MalformedProfileError
 */
export function parseDeliveryServiceProfile(value: unknown): {
  profile: DeliveryServiceProfile;
  keys: PublicKeys;
} {
  const wire = parseShape(schema, value, (reason, cause) => new MalformedProfileError({ reason, cause }));
  const { publicSigningKey, publicEncryptionKey } = wire;
  const url = wire.url.replace(/\/+$/, '');
  return { profile: { publicSigningKey, publicEncryptionKey, url }, keys: decodeKeys(wire) };
}
