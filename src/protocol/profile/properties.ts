import { z } from 'zod';
import { parseShape } from '../encoding/json.js';
import { stringify } from '../encoding/stringify.js';
import { MalformedCapabilitiesError } from './errors.js';

/** What a delivery service says about itself (dm3 MTP: delivery service properties). */
export interface DeliveryServiceProperties {
  /** Days a message is kept, 0 = for ever. The reference service means milliseconds, and is 0. */
  readonly messageTTL: number;
  /** Largest stringified envelope, bytes. */
  readonly sizeLimit: number;
  /** How it tells accounts that messages wait: objects with `type` and `config`. */
  readonly notificationChannel: readonly unknown[];
  readonly metricsCollectionIntervalInSeconds: number;
  readonly metricsRetentionDurationInSeconds: number;
}

/** What holds for a service that does not say. */
const DEFAULTS: DeliveryServiceProperties = {
  messageTTL: 0,
  sizeLimit: 100_000,
  notificationChannel: [],
  metricsCollectionIntervalInSeconds: 86_400,
  metricsRetentionDurationInSeconds: 864_000,
};

const schema: z.ZodType<Partial<DeliveryServiceProperties>> = z
  .object({
    messageTTL: z.number().nonnegative(),
    sizeLimit: z.number().nonnegative(),
    notificationChannel: z.array(z.unknown()),
    metricsCollectionIntervalInSeconds: z.number(),
    metricsRetentionDurationInSeconds: z.number(),
  })
  .partial();

/**
 * Reads the result of `dm3_getDeliveryServiceProperties`.
 * @param value JSON text (what clients expect), or the object itself.
 * @throws MalformedCapabilitiesError
 */
export function parseDeliveryServiceProperties(value: unknown): DeliveryServiceProperties {
  const wire = parseShape(schema, value, (reason, cause) => new MalformedCapabilitiesError({ reason, cause }));
  return { ...DEFAULTS, ...wire };
}

/** The result of `dm3_getDeliveryServiceProperties`: a JSON string. */
export function deliveryServicePropertiesResult(properties: DeliveryServiceProperties): string {
  return stringify(properties);
}
