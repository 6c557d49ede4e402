import { z } from 'zod';
import { ENCRYPTION_SCHEME } from '../envelope/envelope.js';
import { MESSAGE_TYPES, type MessageType } from '../envelope/message.js';
import { parseShape } from '../encoding/json.js';
import { stringify } from '../encoding/stringify.js';
import { MalformedCapabilitiesError } from './errors.js';
import { spamThresholdsShape, type SpamThresholds } from './spam-thresholds.js';

/** What an account can read, and from whom it takes messages (dm3 MTP: profile extension). */
export interface ProfileExtension {
  readonly encryptionSchemes: readonly string[];
  readonly supportedMessageTypes: readonly MessageType[];
  readonly spamFilterRules?: SpamThresholds;
  /** What it lets other accounts of its delivery service do (docs/delivery-states.md); not there if nothing. */
  readonly permissions?: readonly string[];
}

/** Positive list and names by the specification; negative list and `encryptionAlgorithm` by the clients. */
const schema = z.object({
  encryptionScheme: z.union([z.string(), z.array(z.string())]).optional(),
  encryptionAlgorithm: z.array(z.string()).optional(),
  supportedMessageTypes: z.array(z.string()).optional(),
  notSupportedMessageTypes: z.array(z.string()).optional(),
  spamFilterRules: z.object(spamThresholdsShape).optional(),
});

/**
 * Reads the result of `dm3_getProfileExtension` in either spelling.
 * @param value JSON text (what clients expect), or the object itself.
 * @throws MalformedCapabilitiesError
 */
export function parseProfileExtension(value: unknown): ProfileExtension {
  const wire = parseShape(schema, value, (reason, cause) => new MalformedCapabilitiesError({ reason, cause }));
  return {
    encryptionSchemes: [wire.encryptionScheme ?? wire.encryptionAlgorithm ?? ENCRYPTION_SCHEME].flat(),
    supportedMessageTypes: MESSAGE_TYPES.filter((type) => isSupported(wire, type)),
    ...(wire.spamFilterRules ? { spamFilterRules: wire.spamFilterRules } : {}),
  };
}

/** The result of `dm3_getProfileExtension`: a JSON string with both spellings in it. */
export function profileExtensionResult(extension: ProfileExtension): string {
  const { encryptionSchemes, supportedMessageTypes, spamFilterRules, permissions } = extension;
  return stringify({
    encryptionScheme: encryptionSchemes,
    encryptionAlgorithm: encryptionSchemes,
    supportedMessageTypes,
    notSupportedMessageTypes: MESSAGE_TYPES.filter((type) => !supportedMessageTypes.includes(type)),
    spamFilterRules,
    permissions,
  });
}

function isSupported(wire: z.infer<typeof schema>, type: MessageType): boolean {
  if (wire.supportedMessageTypes !== undefined) return wire.supportedMessageTypes.includes(type);
  const refused = wire.notSupportedMessageTypes ?? [];
  // The reference service refuses NEW for everybody by mistake, and its clients ignore that.
  return refused.includes('NEW') || !refused.includes(type);
}
